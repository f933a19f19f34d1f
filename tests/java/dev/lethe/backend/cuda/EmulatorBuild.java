package dev.lethe.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.backend.cuda.ContractRun.Outcome;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/** A build of native/emulator from a copy of {@code kernels/} that may be changed. */
final class EmulatorBuild {
  private static final Path KERNELS = Path.of("kernels");

  private final Path kernels;
  private final Path build;
  private final String target;
  private final Map<String, FileTime> times = new HashMap<>();
  private final Map<Path, Kept> unchanged = new HashMap<>();

  private record Kept(FileTime time, byte[] content) {}

  private EmulatorBuild(Path folder, String target) {
    this.kernels = folder.resolve("kernels");
    this.build = folder.resolve("build");
    this.target = target;
  }

  /**
   * Copies the kernels into an empty folder and prepares to build them there; skips the test, and
   * prints that it does, where a compiler or cmake is missing.
   */
  static EmulatorBuild of(Path folder, String target) throws IOException, InterruptedException {
    boolean compiler = Stream.of("c++", "g++", "clang++").anyMatch(EmulatorBuild::onPath);
    require(compiler && onPath("cmake"), "no C++ compiler or no cmake");
    EmulatorBuild copy = new EmulatorBuild(folder, target);
    Files.createDirectories(copy.kernels);
    try (Stream<Path> files = Files.list(KERNELS)) {
      for (Path file : files.toList()) {
        Files.copy(file, copy.kernels.resolve(file.getFileName()));
      }
    }
    run(
        "cmake",
        "-S",
        Path.of("native").toAbsolutePath().toString(),
        "-B",
        copy.build.toString(),
        "-DKERNEL_DIR=" + copy.kernels,
        "-DEMULATOR_OPTIMIZATION=-O1");
    return copy;
  }

  /** Skips the test where this does not hold, and prints it. */
  static void require(boolean condition, String otherwise) {
    if (!condition) {
      System.out.println("skipped: " + otherwise + "; the tests of kernels were NOT tested");
    }
    assumeTrue(condition, otherwise);
  }

  /** The library of the kernels as they are now, under a name of its own. */
  Path library(String name) throws IOException, InterruptedException {
    run("cmake", "--build", build.toString(), "--target", target, "--parallel", "2");
    Path built = build.resolve("emulator").resolve(System.mapLibraryName(target));
    return Files.copy(built, build.resolve(System.mapLibraryName(name)));
  }

  /**
   * Remembers what is built of the unchanged kernels, so that {@link #restore} brings it back and nothing
   * is compiled twice.
   */
  void keepObjects() throws IOException {
    for (Path object : objects()) {
      unchanged.put(object, new Kept(Files.getLastModifiedTime(object), Files.readAllBytes(object)));
    }
  }

  private List<Path> objects() throws IOException {
    try (Stream<Path> files = Files.walk(build.resolve("emulator"))) {
      return files.filter(file -> file.toString().endsWith(".o")).toList();
    }
  }

  /**
   * Replaces a text that occurs once in a file of the copy.
   *
   * @param unit what is compiled with it: the file, or of those that include it the only one
   */
  void replace(String file, String unit, String text, String replacement) throws IOException {
    Path path = kernels.resolve(file);
    String source = Files.readString(path);
    int at = source.indexOf(text);
    boolean once = at >= 0 && source.indexOf(text, at + 1) < 0;
    assertEquals(true, once, () -> file + " must hold exactly once:\n" + text);
    FileTime time = Files.getLastModifiedTime(path);
    Files.writeString(path, source.replace(text, replacement));
    Files.setLastModifiedTime(path, time);
    times.put(unit, Files.getLastModifiedTime(kernels.resolve(unit)));
    Files.setLastModifiedTime(kernels.resolve(unit), FileTime.from(Instant.now()));
  }

  /** Puts a file of the copy back, and the kept object of the unit with their old times. */
  void restore(String file, String unit) throws IOException {
    Path path = kernels.resolve(file);
    FileTime time = Files.getLastModifiedTime(path);
    Files.copy(KERNELS.resolve(file), path, StandardCopyOption.REPLACE_EXISTING);
    if (unchanged.isEmpty()) {
      return;
    }
    Files.setLastModifiedTime(path, time);
    Files.setLastModifiedTime(kernels.resolve(unit), times.get(unit));
    for (Map.Entry<Path, Kept> object : unchanged.entrySet()) {
      boolean same =
          Files.exists(object.getKey())
              && Files.getLastModifiedTime(object.getKey()).equals(object.getValue().time);
      if (!same) {
        Files.write(object.getKey(), object.getValue().content);
        Files.setLastModifiedTime(object.getKey(), object.getValue().time);
      }
    }
  }

  /** The runtime that a program must load before a sanitized library; empty where there is none. */
  Optional<Path> sanitizer() throws IOException {
    Path note = build.resolve("emulator").resolve("libasan.txt");
    return Files.exists(note)
        ? Optional.of(Path.of(Files.readString(note)))
        : Optional.empty();
  }

  private static boolean onPath(String program) {
    return Stream.of(System.getenv("PATH").split(File.pathSeparator))
        .anyMatch(folder -> Files.isExecutable(Path.of(folder, program)));
  }

  private static void run(String... command) throws IOException, InterruptedException {
    Outcome outcome = ContractRun.run(new ProcessBuilder(command));
    assertEquals(0, outcome.status(), outcome::output);
  }
}
