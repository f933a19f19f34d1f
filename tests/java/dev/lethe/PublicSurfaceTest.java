package dev.lethe;

import static dev.lethe.CompiledClasses.CLASSES;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaCodeUnit;
import com.tngtech.archunit.core.domain.JavaField;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.domain.JavaType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * Which packages are the library's interface: those that the table of docs/api.md lists. All others are internal: the
 * property {@code internal.packages} of pom.xml lists them, and Javadoc leaves them out.
 */
class PublicSurfaceTest {
  private static final Pattern LISTED = Pattern.compile("(?m)^\\| `(dev\\.lethe[a-z.]*)` \\|");
  private static final Pattern INTERNAL =
      Pattern.compile("<internal\\.packages>([^<]*)</internal\\.packages>");

  private static Set<String> api;
  private static Set<String> internal;

  @BeforeAll
  static void readLists() throws IOException {
    Matcher listed = LISTED.matcher(Files.readString(Path.of("docs/api.md")));
    api = listed.results().map(found -> found.group(1)).collect(Collectors.toCollection(TreeSet::new));
    Matcher property = INTERNAL.matcher(Files.readString(Path.of("pom.xml")));
    internal = new TreeSet<>();
    if (property.find()) {
      internal.addAll(List.of(property.group(1).split(":")));
    }
  }

  @Test
  void everyPackageIsOneOrTheOther() {
    Set<String> all =
        CLASSES.stream().map(JavaClass::getPackageName).collect(Collectors.toCollection(TreeSet::new));
    Set<String> listed = new TreeSet<>(api);
    listed.addAll(internal);
    assertEquals(all, listed);
    assertEquals(api.size() + internal.size(), listed.size(), "a package is both");
  }

  /** Whoever uses the interface needs nothing else: its signatures name public types of itself and of these. */
  @Test
  void theInterfaceIsClosed() {
    Set<String> broken = new TreeSet<>();
    for (JavaClass type : CLASSES) {
      if (isPublic(type) && api.contains(type.getPackageName())) {
        mentioned(
            type,
            (used) -> {
              if (!isUsable(used)) {
                broken.add(type.getName() + " mentions " + used.getName());
              }
            });
      }
    }
    assertEquals("", String.join("\n", broken));
  }

  private static boolean isUsable(JavaClass used) {
    JavaClass base = used.getBaseComponentType();
    String home = base.getPackageName();
    if (base.isPrimitive() || home.startsWith("java.") || home.startsWith("tools.jackson.")) {
      return true;
    }
    return api.contains(home) && isPublic(base);
  }

  /** The types in the signatures that others see. */
  private static void mentioned(JavaClass type, Consumer<JavaClass> each) {
    Stream<JavaType> types =
        Stream.of(
                type.getInterfaces().stream().map(JavaType.class::cast),
                type.getSuperclass().stream().map(JavaType.class::cast),
                type.getFields().stream().filter(f -> isVisible(f.getModifiers())).map(JavaField::getType),
                type.getCodeUnits().stream()
                    .filter(c -> isVisible(c.getModifiers()))
                    .flatMap(PublicSurfaceTest::signature))
            .flatMap(stream -> stream);
    types.flatMap(t -> t.getAllInvolvedRawTypes().stream()).forEach(each);
  }

  private static Stream<JavaType> signature(JavaCodeUnit code) {
    return Stream.concat(Stream.of(code.getReturnType()), code.getParameterTypes().stream());
  }

  private static boolean isVisible(Set<JavaModifier> modifiers) {
    return (modifiers.contains(JavaModifier.PUBLIC) || modifiers.contains(JavaModifier.PROTECTED))
        && !modifiers.contains(JavaModifier.SYNTHETIC);
  }

  private static boolean isPublic(JavaClass type) {
    return type.getModifiers().contains(JavaModifier.PUBLIC)
        && type.getEnclosingClass().map(PublicSurfaceTest::isPublic).orElse(true);
  }
}
