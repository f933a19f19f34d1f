package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A project that depends on the library: the examples of README and docs/library.md are compiled and run against the
 * packaged jar and what Maven gives to such a project. Runs after {@code package}, which leaves the jar and the list of dependencies.
 */
class ConsumerIT {
  private static final Path TARGET = Path.of("target");

  /** {@code group:artifact:jar[:classifier]:version:scope:file}, and whether it is optional. */
  private static final Pattern DEPENDENCY =
      Pattern.compile("\\s*([^:\\s]+:[^:\\s]+:jar:[^\\s]*?):(compile|runtime):(\\S+\\.jar)(\\s+\\(optional\\))?.*");

  private static final List<String> PROGRAM_ONLY =
      List.of("picocli", "slf4j-jdk14", "jcuda-natives.*windows", "jcublas-natives.*windows");

  @TempDir private static Path dir;
  private static final List<String> given = new ArrayList<>();
  private static final List<String> optional = new ArrayList<>();

  @BeforeAll
  static void readDependencies() throws IOException {
    for (String line : Files.readAllLines(TARGET.resolve("consumer-dependencies.txt"))) {
      Matcher dependency = DEPENDENCY.matcher(line.replaceAll("\u001b\\[[0-9;]*m", ""));
      if (dependency.matches()) {
        (dependency.group(4) == null ? given : optional).add(dependency.group(3));
      }
    }
  }

  @Test
  void itGetsTheLibrariesAndNothingOfTheProgram() throws IOException {
    for (String needed : List.of("jackson-databind", "tokenizers", "ejml-ddense", "jcuda", "jcublas-natives")) {
      assertTrue(given.stream().anyMatch(file -> name(file).startsWith(needed)), needed + " in " + given);
    }
    for (String unwanted : PROGRAM_ONLY) {
      assertEquals(List.of(), matching(given, unwanted));
      assertTrue(!matching(optional, unwanted).isEmpty(), unwanted + " in " + optional);
      try (Stream<Path> lib = Files.list(TARGET.resolve("lib"))) {
        List<String> shipped = lib.map(Path::toString).toList();
        assertTrue(!matching(shipped, unwanted).isEmpty(), unwanted + " beside lethe.jar");
      }
    }
    for (String unwanted : List.of("junit", "archunit", "logback", "slf4j-simple", "log4j")) {
      assertEquals(List.of(), matching(given, unwanted));
    }
  }

  @Test
  void theExamplesCompileAndRunThere() throws IOException, InterruptedException {
    ReadmePlace place = new ReadmePlace(dir.resolve("place"));
    Path adapter = place.trained("--trajectory", "off");
    Path jar = Files.copy(TARGET.resolve("lethe.jar"), dir.resolve("lethe.jar")); // away from its lib folder
    String classPath = jar + File.pathSeparator + String.join(File.pathSeparator, given);
    Path source = Files.writeString(dir.resolve("Consumer.java"), source());
    int compiled =
        ToolProvider.getSystemJavaCompiler()
            .run(null, null, null, "-proc:none", "-cp", classPath, source.toString());
    assertEquals(0, compiled, "the examples do not compile");
    Path out = dir.resolve("by-consumer");
    Path trained = dir.resolve("trained-by-consumer");
    Path log = dir.resolve("log");
    int ended =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules", "jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED",
                "-Xmx512m", "-cp", classPath + File.pathSeparator + dir, "Consumer",
                place.model.toString(), adapter.toString(), place.data.toString(), out.toString(),
                trained.toString())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start()
            .waitFor();
    assertEquals(0, ended, () -> read(log));
    for (String said :
        List.of(
            "2 of 44 rows: 2 removed",
            "44 gradients of ",
            "without row 0, the loss of query 0 changes by ",
            "18 of 18: loss ")) {
      assertTrue(read(log).contains(said), () -> said + " in " + read(log));
    }
    String weights = "adapter_model.safetensors";
    assertArrayEquals(
        Files.readAllBytes(place.byCommand(adapter).resolve(weights)),
        Files.readAllBytes(out.resolve(weights)));
  }

  /** The examples with what stands around them in a program. */
  private static String source() throws IOException {
    Matcher readme =
        Pattern.compile("```java\n(.*?)```", Pattern.DOTALL)
            .matcher(Files.readString(Path.of("README.md")));
    assertTrue(readme.find(), "README.md has no Java example");
    String examples = readme.group(1) + String.join("outDir = trainedDir;\n", LibraryPageTest.onThePage());
    return """
        import dev.lethe.data.Sample;
        import dev.lethe.influence.InfluenceScores;
        import dev.lethe.nn.AdaptedModel;
        import dev.lethe.session.Influence;
        import dev.lethe.session.SampleGradients;
        import dev.lethe.session.Session;
        import dev.lethe.session.Training;
        import dev.lethe.train.TrainOptions;
        import dev.lethe.unlearn.certificate.Certificate;
        import dev.lethe.unlearn.request.UnlearnRequest;
        import java.nio.file.Path;
        import java.util.List;

        class Consumer {
          public static void main(String[] args) {
            Path modelDir = Path.of(args[0]);
            Path adapterDir = Path.of(args[1]);
            Path dataFile = Path.of(args[2]);
            Path queryFile = dataFile;
            Path outDir = Path.of(args[3]);
            Path trainedDir = Path.of(args[4]);
        %s  }
        }
        """
        .formatted(examples.indent(4));
  }

  private static List<String> matching(List<String> files, String pattern) {
    Pattern wanted = Pattern.compile(pattern);
    return files.stream().filter(file -> wanted.matcher(name(file)).find()).toList();
  }

  private static String name(String file) {
    return Path.of(file).getFileName().toString();
  }

  private static String read(Path file) {
    try {
      return Files.readString(file);
    } catch (IOException e) {
      return e.toString();
    }
  }
}
