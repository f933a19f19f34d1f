package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The script {@code bin/lethe}, with a java that only says how it was called. */
class LauncherTest {
  private static final String JAVA =
      """
      #!/bin/sh
      echo "LC_ALL=${LC_ALL:-} LC_CTYPE=${LC_CTYPE:-} LC_TIME=${LC_TIME:-}"
      locale charmap
      for word in "$@"; do last=$word; done
      printf %s "$last" | od -An -tx1
      echo "$@"
      """;

  @TempDir private Path dir;

  @BeforeEach
  void install() throws IOException {
    assumeTrue(Files.isExecutable(Path.of("/bin/sh")), "skipped: no POSIX shell");
    assumeTrue(Files.isExecutable(Path.of("/usr/bin/locale")), "skipped: no program locale");
    Files.createDirectories(dir.resolve("bin"));
    Files.copy(Path.of("bin/lethe"), dir.resolve("bin/lethe"));
    Files.createDirectories(dir.resolve("target"));
    Files.createFile(dir.resolve("target/lethe.jar"));
    Files.createDirectories(dir.resolve("java/bin"));
    Files.writeString(dir.resolve("java/release"), "JAVA_VERSION=\"25.0.1\"\n");
    Files.writeString(dir.resolve("java/bin/java"), JAVA);
    dir.resolve("java/bin/java").toFile().setExecutable(true);
  }

  @Test
  void javaSeesUtf8UnderTheLocaleC() throws IOException, InterruptedException {
    List<String> said = start(Map.of("LC_ALL", "C"));
    assertEquals("UTF-8", said.get(1), said.toString());
    assertTrue(said.getFirst().contains("LC_ALL= ") && said.getFirst().endsWith("LC_TIME=C"), said.toString());
    assertEquals("4f c3 b9", said.get(2).strip());
  }

  @Test
  void aLocaleThatIsNotInstalledDoesNoHarm() throws IOException, InterruptedException {
    List<String> said = start(Map.of("LANG", "xx_YY.UTF-8"));
    assertEquals("UTF-8", said.get(1), said.toString());
  }

  @Test
  void aLocaleInUtf8StaysAsItIs() throws IOException, InterruptedException {
    List<String> said = start(Map.of("LC_ALL", "C.UTF-8"));
    assertEquals(List.of("LC_ALL=C.UTF-8 LC_CTYPE= LC_TIME=", "UTF-8"), said.subList(0, 2));
  }

  @Test
  void javaStartsWithTheCacheWhereThereIsOneAndWithVectorsElsewhere() throws IOException, InterruptedException {
    String without = start(Map.of()).getLast();
    assertTrue(without.contains("--add-modules=jdk.incubator.vector") && !without.contains("AOT"), without);
    Files.createFile(dir.resolve("target/lethe.aot"));
    String with = start(Map.of()).getLast();
    assertTrue(with.contains("/target/lethe.aot") && !with.contains("jdk.incubator.vector"), with);
    String java = start(Map.of("LETHE_JAVA_OPTS", "-Dlethe.cpu.native=false")).getLast();
    assertTrue(java.contains("--add-modules=jdk.incubator.vector") && !java.contains("AOT"), java);
  }

  @Test
  void javaInlinesLessWithTheCacheAloneAndTheUsersWordCounts() throws IOException, InterruptedException {
    String inlining = "-XX:InlineSmallCode=";
    assertFalse(start(Map.of()).getLast().contains(inlining));
    Files.createFile(dir.resolve("target/lethe.aot"));
    String own = start(Map.of("LETHE_JAVA_OPTS", inlining + "2500")).getLast();
    assertTrue(own.contains(inlining + "500 "), own);
    assertTrue(own.lastIndexOf(inlining) == own.indexOf(inlining + "2500"), own);
    assertFalse(start(Map.of("LETHE_JAVA_OPTS", "-Dlethe.cpu.native=false")).getLast().contains(inlining));
  }

  @Test
  void helpIsPrintedWithoutJavaAsTheProgramPrintsIt() throws IOException, InterruptedException {
    WarmUp.writeHelp(Files.createDirectories(dir.resolve("target/help")));
    Files.setLastModifiedTime(dir.resolve("target/lethe.jar"), FileTime.from(Instant.EPOCH));
    assertEquals(Cli.run("--help").out(), printed("--help"));
    assertEquals(Cli.run("--help").out(), printed("-h"));
    for (String command : Main.names()) {
      assertEquals(Cli.run(command, "--help").out(), printed(command, "--help"));
    }
    assertTrue(printed("train", "--help", "--json").startsWith("LC_ALL="), "more than a page is asked for");
    assertTrue(printed("../target/help/train", "--help").startsWith("LC_ALL="), "not a command");
    Files.setLastModifiedTime(dir.resolve("target/lethe.jar"), FileTime.from(Instant.now().plusSeconds(60)));
    assertTrue(printed("--help").startsWith("LC_ALL="), "the pages are older than the program");
  }

  private String printed(String... words) throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(List.of("/bin/sh", "bin/lethe"));
    command.addAll(List.of(words));
    ProcessBuilder builder = new ProcessBuilder(command).directory(dir.toFile());
    builder.environment().put("LETHE_JAVA", dir.resolve("java").toString());
    Process process = builder.redirectError(ProcessBuilder.Redirect.DISCARD).start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), said);
    return said;
  }

  /** A cache and a machine on which the native code does not run: java starts again, in the same process. */
  @Test
  void javaStartsAgainWithVectorsWhereNativeCodeDoesNotRun() throws IOException, InterruptedException {
    assumeTrue(Files.exists(Path.of("/proc/self/cmdline")), "skipped: no /proc");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED", "-XX:InlineSmallCode=500", "-XX:+PrintCommandLineFlags",
                "-Dlethe.start.again=true", "-Dlethe.cpu.native=false", "-cp",
                System.getProperty("java.class.path"), "dev.lethe.cli.Main", "doctor")
            .redirectErrorStream(true)
            .start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), said);
    assertTrue(said.contains("jdk.incubator.vector is present"), said);
    assertTrue(said.contains("Vector API, "), said);
    assertEquals(2, said.split("-XX:[+]PrintCommandLineFlags", -1).length - 1, said);
    assertEquals(1, said.split("-XX:InlineSmallCode", -1).length - 1, said);
  }

  /** The last argument goes through a file, so that the encoding of this process does not matter. */
  private List<String> start(Map<String, String> locale) throws IOException, InterruptedException {
    Path script = dir.resolve("start.sh");
    Files.writeString(script, "exec sh bin/lethe generate --prompt O\u00f9\n");
    ProcessBuilder builder = new ProcessBuilder("/bin/sh", script.toString()).directory(dir.toFile());
    builder.environment().keySet().removeIf(name -> name.startsWith("LC_") || name.equals("LANG"));
    builder.environment().put("LETHE_JAVA", dir.resolve("java").toString());
    builder.environment().putAll(locale);
    Process process = builder.redirectError(ProcessBuilder.Redirect.DISCARD).start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), said);
    return said.lines().toList();
  }
}
