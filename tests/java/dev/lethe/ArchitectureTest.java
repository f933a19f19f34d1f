package dev.lethe;

import static dev.lethe.CompiledClasses.CLASSES;
import static dev.lethe.CompiledClasses.ROOT;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.AccessTarget;
import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import dev.lethe.autograd.op.CrossEntropy;
import dev.lethe.autograd.op.Op;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.text.NumberFormat;
import java.time.format.DateTimeFormatter;
import java.util.Formatter;
import java.util.Locale;
import java.util.Map;
import java.util.Scanner;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Holds the dependency directions of the packages, and what only some of them may touch. */
class ArchitectureTest {
  /** What each package may use directly; what those use, it may use too. */
  private static final Map<String, Set<String>> USES =
      Map.ofEntries(
          Map.entry("tensor", Set.of()),
          Map.entry("natives", Set.of()),
          Map.entry("backend", Set.of("tensor", "natives")),
          Map.entry("autograd", Set.of("backend")),
          Map.entry("format", Set.of("tensor")),
          Map.entry("tokenizer", Set.of("format", "natives")),
          Map.entry("data", Set.of("tokenizer")),
          Map.entry("nn", Set.of("autograd", "data")),
          Map.entry("train", Set.of("nn")),
          Map.entry("curvature", Set.of("nn")),
          Map.entry("solve", Set.of("curvature")),
          Map.entry("influence", Set.of("solve")),
          Map.entry("trajectory", Set.of("train")),
          Map.entry("replay", Set.of("trajectory", "solve")),
          Map.entry("unlearn", Set.of("replay")),
          Map.entry("evaluate", Set.of("influence", "train")),
          Map.entry("session", Set.of("unlearn", "evaluate")),
          Map.entry("shard", Set.of("session")),
          Map.entry("chart", Set.of("format")),
          Map.entry("assess", Set.of("session", "chart")),
          Map.entry("bench", Set.of("session", "chart")),
          Map.entry("study", Set.of("assess")),
          Map.entry("cli", Set.of("bench", "study", "shard")));

  /** The most classes that a package may have, nested ones not counted: a reader sees so many at one glance. */
  private static final int LARGEST_PACKAGE = 26;

  /** Methods and constructors that ask for the machine's locale, unless they are given one. */
  private static final Map<Class<?>, Set<String>> LOCALIZED =
      Map.of(
          String.class, Set.of("format", "formatted", "toLowerCase", "toUpperCase"),
          PrintStream.class, Set.of("format", "printf"),
          PrintWriter.class, Set.of("format", "printf"),
          Formatter.class, Set.of("<init>"),
          Scanner.class, Set.of("<init>"),
          NumberFormat.class, Set.of("<init>", "getInstance", "getNumberInstance", "getPercentInstance"),
          DateTimeFormatter.class, Set.of("ofPattern"),
          Locale.class, Set.of("getDefault"));

  /** What each package's classes use, by package. */
  private static final Map<String, Set<String>> PACKAGES = new TreeMap<>();

  /** Fields and methods that print or end the process. */
  private static final Map<Class<?>, Set<String>> ENDS_AND_PRINTS =
      Map.of(
          System.class, Set.of("out", "err", "in", "exit"),
          Runtime.class, Set.of("exit", "halt"),
          Throwable.class, Set.of("printStackTrace"));

  @BeforeAll
  static void readPackages() {
    for (JavaClass user : CLASSES) {
      Set<String> used = PACKAGES.computeIfAbsent(user.getPackageName(), name -> new TreeSet<>());
      uses(user).filter(ArchitectureTest::inLethe).map(JavaClass::getPackageName).forEach(used::add);
      used.remove(user.getPackageName());
    }
  }

  @Test
  void theRulesSeeTheClasses() {
    assertTrue(CLASSES.contain(LetheException.class), "no compiled classes were found");
    Set<String> unknown = new TreeSet<>();
    for (JavaClass user : CLASSES) {
      user.getAccessesFromSelf().stream()
          .map(access -> access.getTarget().getOwner())
          .filter(owner -> owner.getName().startsWith("java.") && !owner.isInterface())
          .filter(owner -> !owner.isAssignableTo(Object.class))
          .forEach(owner -> unknown.add(owner.getName()));
    }
    assertEquals(Set.of(), unknown, "classes that are called, without what they extend");
  }

  @Test
  void packagesDependOneWay() {
    Set<String> broken = new TreeSet<>();
    for (JavaClass user : CLASSES) {
      if (layer(user).isEmpty()) {
        continue;
      }
      Set<String> allowed = reachable(layer(user));
      uses(user)
          .filter(ArchitectureTest::inLethe)
          .filter(used -> !allowed.contains(layer(used)))
          .forEach(used -> broken.add(name(user) + " uses " + name(used)));
    }
    assertEquals("", String.join("\n", broken), "dependencies against the directions in USES");
  }

  @Test
  void everyPackageHasItsPlace() {
    Map<String, String> strangers = new TreeMap<>();
    for (JavaClass c : CLASSES) {
      if (!layer(c).isEmpty() && !USES.containsKey(layer(c))) {
        strangers.put(layer(c), c.getName());
      }
    }
    assertEquals(Map.of(), strangers, "give these packages their place in USES");
  }

  @Test
  void packagesAreSmall() {
    Map<String, Long> large =
        CLASSES.stream()
            .filter(c -> c.isTopLevelClass() && !c.getSimpleName().equals("package-info"))
            .collect(Collectors.groupingBy(JavaClass::getPackageName, TreeMap::new, Collectors.counting()));
    assertTrue(large.containsKey(ROOT + ".nn"), "the classes of nn were not counted: " + large);
    large.values().removeIf(count -> count <= LARGEST_PACKAGE);
    assertEquals(Map.of(), large, "packages of more than " + LARGEST_PACKAGE + " classes; move what belongs together");
  }

  /** Again and again, those that use nothing but what went before are taken away. */
  @Test
  void packagesHaveNoCycles() {
    Map<String, Set<String>> rest = new TreeMap<>(PACKAGES);
    rest.remove(ROOT);
    while (rest.values().removeIf(used -> used.stream().noneMatch(rest::containsKey))) {}
    assertEquals(Map.of(), rest, "packages on a cycle, or above one, with what they use");
  }

  /** What runs passes asks an operation, whichever it is; the loss, the end of each tape, is asked by name. */
  @Test
  void passesNameNoOperation() {
    nobodyUses(
        user -> user.getPackageName().equals(ROOT + ".autograd"),
        used -> used.isAssignableTo(Op.class) && !used.isInterface() && !used.isEquivalentTo(CrossEntropy.class));
  }

  @Test
  void onlyOnePackageTouchesEachLibrary() {
    onlyIn("backend.cpu", "jdk.incubator.");
    onlyIn("backend.cuda", "jcuda.");
    onlyIn("tokenizer", "ai.djl.");
    onlyIn("cli", "picocli.");
    onlyIn("curvature", "org.ejml.");
  }

  @Test
  void nobodyUsesInternalClassesOfTheJdk() {
    nobodyUses(user -> true, used -> used.getName().startsWith("sun.") || used.getName().startsWith("jdk.internal."));
  }

  @Test
  void onlyTheCommandLinePrintsAndExits() {
    nobodyAsks(
        user -> !layer(user).equals("cli"),
        target ->
            ENDS_AND_PRINTS.entrySet().stream()
                .anyMatch(each -> isMember(target, each.getKey(), each.getValue())));
  }

  /** Numbers and cases of letters are written alike everywhere: through Text, or with a locale. */
  @Test
  void nothingIsWrittenInTheLocaleOfTheMachine() {
    nobodyAsks(user -> true, ArchitectureTest::asksTheLocale);
  }

  private static boolean asksTheLocale(AccessTarget target) {
    boolean told =
        target instanceof AccessTarget.CodeUnitAccessTarget code
            && code.getRawParameterTypes().stream().anyMatch(type -> type.isEquivalentTo(Locale.class));
    return !told
        && LOCALIZED.entrySet().stream().anyMatch(each -> isMember(target, each.getKey(), each.getValue()));
  }

  private static boolean isMember(AccessTarget target, Class<?> owner, Set<String> names) {
    return names.contains(target.getName()) && target.getOwner().isAssignableTo(owner);
  }

  private static void onlyIn(String home, String library) {
    String own = ROOT + "." + home;
    nobodyUses(
        user -> !user.getPackageName().equals(own) && !user.getPackageName().startsWith(own + "."),
        used -> used.getName().startsWith(library));
  }

  private static Stream<JavaClass> uses(JavaClass user) {
    return user.getDirectDependenciesFromSelf().stream().map(Dependency::getTargetClass);
  }

  private static void nobodyUses(Predicate<JavaClass> users, Predicate<JavaClass> forbidden) {
    Set<String> broken = new TreeSet<>();
    for (JavaClass user : CLASSES) {
      if (users.test(user)) {
        uses(user).filter(forbidden).forEach(used -> broken.add(user.getName() + " uses " + used.getName()));
      }
    }
    assertEquals("", String.join("\n", broken));
  }

  private static void nobodyAsks(Predicate<JavaClass> users, Predicate<AccessTarget> forbidden) {
    Set<String> broken = new TreeSet<>();
    for (JavaClass user : CLASSES) {
      if (users.test(user)) {
        user.getAccessesFromSelf().stream()
            .filter(access -> forbidden.test(access.getTarget()))
            .forEach(access -> broken.add(access.getDescription()));
      }
    }
    assertEquals("", String.join("\n", broken));
  }

  private static boolean inLethe(JavaClass c) {
    return c.getPackageName().equals(ROOT) || c.getPackageName().startsWith(ROOT + ".");
  }

  private static String name(JavaClass c) {
    return c.getName().substring(ROOT.length() + 1);
  }

  /** The first package name below the root; empty for the root itself, which everybody may use. */
  private static String layer(JavaClass c) {
    String name = c.getPackageName();
    return name.equals(ROOT) ? "" : name.substring(ROOT.length() + 1).split("\\.")[0];
  }

  private static Set<String> reachable(String layer) {
    Set<String> all = new TreeSet<>(Set.of("", layer));
    USES.getOrDefault(layer, Set.of()).forEach(used -> all.addAll(reachable(used)));
    return all;
  }
}
