package dev.lethe;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.AccessTarget;
import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.lang.ArchRule;
import dev.lethe.autograd.op.CrossEntropy;
import dev.lethe.autograd.op.Op;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.text.NumberFormat;
import java.time.format.DateTimeFormatter;
import java.util.Formatter;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Scanner;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Holds the dependency directions of the packages, and what only some of them may touch. */
class ArchitectureTest {
  private static final String ROOT = "dev.lethe";

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
          Map.entry("cli", Set.of("bench", "assess", "shard")));

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

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages(ROOT);

  @Test
  void theRulesSeeTheClasses() {
    assertTrue(CLASSES.contain(LetheException.class), "no compiled classes were found");
  }

  @Test
  void packagesDependOneWay() {
    Set<String> broken = new TreeSet<>();
    for (JavaClass user : CLASSES) {
      if (layer(user).isEmpty()) {
        continue;
      }
      Set<String> allowed = reachable(layer(user));
      user.getDirectDependenciesFromSelf().stream()
          .map(Dependency::getTargetClass)
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
  void packagesHaveNoCycles() {
    check(slices().matching(ROOT + ".(**)").should().beFreeOfCycles());
  }

  /** What runs passes asks an operation, whichever it is; the loss, the end of each tape, is asked by name. */
  @Test
  void passesNameNoOperation() {
    check(
        noClasses()
            .that()
            .resideInAPackage(ROOT + ".autograd")
            .should()
            .dependOnClassesThat(
                JavaClass.Predicates.implement(Op.class)
                    .and(DescribedPredicate.not(JavaClass.Predicates.type(CrossEntropy.class)))));
  }

  @Test
  void onlyOnePackageTouchesEachLibrary() {
    onlyIn("backend.cpu", "jdk.incubator..");
    onlyIn("backend.cuda", "jcuda..");
    onlyIn("tokenizer", "ai.djl..");
    onlyIn("cli", "picocli..");
    onlyIn("curvature", "org.ejml..");
  }

  @Test
  void nobodyUsesInternalClassesOfTheJdk() {
    check(noClasses().should().dependOnClassesThat().resideInAnyPackage("sun..", "jdk.internal.."));
  }

  @Test
  void onlyTheCommandLinePrintsAndExits() {
    List<DescribedPredicate<AccessTarget>> forbidden =
        List.of(
            member("System.out", System.class, "out"),
            member("System.err", System.class, "err"),
            member("System.in", System.class, "in"),
            member("System.exit", System.class, "exit"),
            member("Runtime.exit", Runtime.class, "exit"),
            member("Runtime.halt", Runtime.class, "halt"),
            member("printStackTrace", Throwable.class, "printStackTrace"));
    for (DescribedPredicate<AccessTarget> target : forbidden) {
      check(
          noClasses()
              .that()
              .resideOutsideOfPackage(ROOT + ".cli..")
              .should()
              .accessTargetWhere(
                  DescribedPredicate.describe(
                      target.getDescription(), access -> target.test(access.getTarget()))));
    }
  }

  /** Numbers and cases of letters are written alike everywhere: through Text, or with a locale. */
  @Test
  void nothingIsWrittenInTheLocaleOfTheMachine() {
    check(
        noClasses()
            .should()
            .accessTargetWhere(
                DescribedPredicate.describe(
                    "the machine's locale decides", access -> asksTheLocale(access.getTarget()))));
  }

  private static boolean asksTheLocale(AccessTarget target) {
    boolean told =
        target instanceof AccessTarget.CodeUnitAccessTarget code
            && code.getRawParameterTypes().stream().anyMatch(type -> type.isEquivalentTo(Locale.class));
    return !told
        && LOCALIZED.entrySet().stream()
            .anyMatch(
                each ->
                    target.getOwner().isAssignableTo(each.getKey())
                        && each.getValue().contains(target.getName()));
  }

  private static DescribedPredicate<AccessTarget> member(
      String description, Class<?> owner, String name) {
    return DescribedPredicate.describe(
        description,
        target -> target.getName().equals(name) && target.getOwner().isAssignableTo(owner));
  }

  private static void onlyIn(String home, String library) {
    check(
        noClasses()
            .that()
            .resideOutsideOfPackage(ROOT + "." + home + "..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage(library));
  }

  private static void check(ArchRule rule) {
    rule.allowEmptyShould(true).check(CLASSES);
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
