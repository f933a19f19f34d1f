package dev.lethe.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.backend.cuda.ContractRun.Outcome;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * A library of emulated kernels that native/emulator has built, and others like it with a mistake in one file of
 * kernels: that file alone is compiled, what else they are made of is taken as it is.
 */
final class EmulatorBuild {
  private static final Path KERNELS = Path.of("kernels");
  private static final Path NATIVE = Path.of(System.getProperty("lethe.native", "target/native")).toAbsolutePath();
  private static final Path EMULATOR = NATIVE.resolve("emulator");

  private final Path folder;
  private final String target;
  private final String compiler;

  /** Includes what all kernels include; the compiler finds it parsed beside this file, if it knows how. */
  private final Path header;

  private EmulatorBuild(Path folder, String target, String compiler) throws IOException, InterruptedException {
    this.folder = folder;
    this.target = target;
    this.compiler = compiler;
    String all = Files.readString(EMULATOR.resolve(target + ".header"));
    header = Files.writeString(folder.resolve("all.h"), "#include \"" + all + "\"\n");
    run(List.of(compiler, flags("compile"), "-O0", "-x", "c++-header", "-c", header.toString(), "-o", header + ".gch"));
  }

  /**
   * What was built as this target; skips the test, and prints that it does, where the emulator was not built.
   *
   * @param folder for the libraries with mistakes
   */
  static EmulatorBuild of(Path folder, String target) throws IOException, InterruptedException {
    Path compiler = EMULATOR.resolve("compiler.txt");
    require(Files.exists(compiler), "no C++ compiler or no cmake");
    return new EmulatorBuild(folder, target, Files.readString(compiler).strip());
  }

  /** Skips the test where this does not hold, and prints it. */
  static void require(boolean condition, String otherwise) {
    if (!condition) {
      System.out.println("skipped: " + otherwise + "; the tests of kernels were NOT tested");
    }
    assumeTrue(condition, otherwise);
  }

  /** The library of the unchanged kernels, which is built where that has not been done. */
  Path unchanged() throws IOException, InterruptedException {
    run(List.of("cmake", "--build", NATIVE.toString(), "--target", target, "--parallel", "2"));
    return EMULATOR.resolve(System.mapLibraryName(target));
  }

  /**
   * The library of the kernels with a mistake.
   *
   * @param name of the library, not used before
   * @param file with the mistake
   * @param unit the file of kernels that is compiled with it: itself, or one that includes this header
   * @param text occurs once in the file
   */
  Path mistaken(String name, String file, String unit, String text, String replacement)
      throws IOException, InterruptedException {
    Path sources = Files.createDirectories(folder.resolve(name));
    try (Stream<Path> files = Files.list(KERNELS)) {
      for (Path kernel : files.filter(f -> f.toString().endsWith(".cuh") || f.endsWith(unit)).toList()) {
        Files.copy(kernel, sources.resolve(kernel.getFileName()));
      }
    }
    String source = Files.readString(sources.resolve(file));
    int at = source.indexOf(text);
    boolean once = at >= 0 && source.indexOf(text, at + 1) < 0;
    assertEquals(true, once, () -> file + " must hold exactly once:\n" + text);
    Files.writeString(sources.resolve(file), source.replace(text, replacement));

    return library(name, sources.resolve(unit), List.of());
  }

  /** The library of the kernels and of one more file of kernels. */
  Path extended(String name, Path source) throws IOException, InterruptedException {
    return library(name, source, List.of("-I" + KERNELS.toAbsolutePath()));
  }

  /** What is built but for the file of this name, and this file. */
  private Path library(String name, Path source, List<String> options) throws IOException, InterruptedException {
    String unit = source.getFileName().toString();
    Path object = folder.resolve(name + ".o");
    List<String> compile = new ArrayList<>(List.of(compiler, flags("compile"), "-O0", "-include", header.toString()));
    compile.addAll(options);
    compile.addAll(List.of("-o", object.toString(), "-c", source.toString()));
    run(compile);
    Path library = folder.resolve(System.mapLibraryName(name));
    List<String> link = new ArrayList<>(List.of(compiler, flags("link"), "-o", library.toString(), object.toString()));
    try (Stream<String> objects = Files.lines(EMULATOR.resolve(target + ".objects"))) {
      objects.filter(built -> !built.endsWith("/" + unit + ".o")).forEach(link::add);
    }
    run(link);
    return library;
  }

  /** The runtime that a program must load before a sanitized library; empty where there is none. */
  Optional<Path> sanitizer() throws IOException {
    Path note = EMULATOR.resolve("libasan.txt");
    return Files.exists(note)
        ? Optional.of(Path.of(Files.readString(note)))
        : Optional.empty();
  }

  private String flags(String step) {
    return "@" + EMULATOR.resolve(target + "." + step);
  }

  private static void run(List<String> command) throws IOException, InterruptedException {
    Outcome outcome = ContractRun.run(new ProcessBuilder(command));
    assertEquals(0, outcome.status(), outcome::output);
  }
}
