import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;
import java.util.zip.ZipOutputStream;

/**
 * Packs Lethe with a bundled runtime for x86-64 Linux: {@code java packaging/Bundle.java ROOT TARGET VERSION},
 * after {@code mvn package} has made lethe.jar and lib in TARGET. The profile {@code bundle} calls it.
 *
 * <pre>
 * lethe-VERSION-linux-x86_64/
 *   bin/lethe   the launcher, the same as in the source tree
 *   app/        lethe.jar and lib/, without native code for other platforms, and the cache for java's start
 *   first-gpu/  run.sh for the first minutes on a GPU, its harness and the kernels, where they were built
 *   runtime/    what Lethe needs of the JDK that runs this
 * </pre>
 */
public final class Bundle {
  private static final String PACKED_AT = "2026-01-01T00:00:00Z";
  private static final String PLATFORM = "linux-x86_64";

  /** java.desktop, a fifth of the size, is only reached by image classes of DJL that nothing here calls. */
  private static final String MODULES =
      "java.base,java.compiler,java.logging,java.management,java.sql,jdk.incubator.vector,"
          + "jdk.management,jdk.unsupported";

  private static final Pattern OF_ANOTHER_PLATFORM = Pattern.compile(".*-(windows|macos|osx).*\\.jar");
  private static final Pattern NATIVE =
      Pattern.compile(".*\\.(so|dll|dylib|jnilib|a)(-[^/]*)?");

  /** Of libraries for several platforms, and Lethe's own, which is there for this one only. */
  private static final Pattern OF_THIS_PLATFORM = Pattern.compile(".*linux-x86[-_]64.*|.*/liblethe_cpu\\.so");

  /** Of JCuda's libraries Lethe loads those of the driver and of cuBLAS. */
  private static final Pattern NEVER_LOADED =
      Pattern.compile("lib/lib(JNvPTXCompiler|JNvrtc|JCublas)-.*");

  private final Path root;
  private final Path target;
  private final Path folder;

  private Bundle(Path root, Path target, String version) {
    this.root = root;
    this.target = target;
    this.folder = target.resolve("bundle").resolve("lethe-%s-%s".formatted(version, PLATFORM));
  }

  /** Packs; ends with an error in one line where this machine cannot. */
  public static void main(String[] args) throws IOException, InterruptedException {
    try {
      new Bundle(Path.of(args[0]), Path.of(args[1]), args[2]).make();
    } catch (IllegalStateException e) {
      System.err.println("bundle: " + e.getMessage());
      System.exit(3);
    }
  }

  private void make() throws IOException, InterruptedException {
    requirePlatform();
    delete(folder);
    Files.createDirectories(folder);
    runtime();
    app();
    Path bin = Files.createDirectories(folder.resolve("bin")).resolve("lethe");
    Files.copy(root.resolve("bin/lethe"), bin);
    bin.toFile().setExecutable(true, false);
    firstGpu();
    for (String text : List.of("LICENSE", "README.md", "SECURITY.md")) {
      Files.copy(root.resolve(text), folder.resolve(text));
    }
    startCache(bin);
    Path packed = pack();
    for (String part : List.of("runtime", "app")) {
      System.out.printf("bundle: %s %.1f MB unpacked%n", part, bytes(folder.resolve(part)) / 1e6);
    }
    System.out.printf("bundle: %s, %.1f MB%n", packed, Files.size(packed) / 1e6);
  }

  /** Java takes the cache only where jars and runtime are as old as they were, so they get the time that tar gives them. */
  private void startCache(Path launcher) throws IOException, InterruptedException {
    FileTime packed = FileTime.from(Instant.parse(PACKED_AT));
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.toList()) {
        Files.setLastModifiedTime(file, packed);
      }
    }
    Path resources = root.resolve("tests/resources");
    List<String> command = List.of(launcher.toString(), "--make-cache", resources.resolve("golden/untied").toString(),
        resources.resolve("tokenizers/gpt2").toString());
    ProcessBuilder builder = new ProcessBuilder(command).inheritIO();
    builder.environment().keySet().removeAll(List.of("LETHE_JAVA", "LETHE_JAVA_OPTS"));
    builder.start().waitFor();
    boolean possible = Files.exists(target.resolve("classes/dev/lethe/backend/cpu/primitive/liblethe_cpu.so"));
    if (possible && !Files.exists(folder.resolve("app/lethe.aot"))) {
      throw new IllegalStateException("the packed program did not make its cache for java's start; it said why above");
    }
  }

  private static void requirePlatform() {
    String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    String machine = System.getProperty("os.arch");
    if (!os.equals("linux") || !machine.equals("amd64")) {
      throw new IllegalStateException(
          "a runtime for %s is made on such a machine; this is %s %s".formatted(PLATFORM, os, machine));
    }
  }

  private void runtime() {
    ToolProvider jlink =
        ToolProvider.findFirst("jlink")
            .orElseThrow(
                () ->
                    new IllegalStateException(
                        "this Java has no jlink; install a whole JDK 25, not only a runtime"));
    // xz packs what jlink leaves uncompressed better than jlink does.
    int result =
        jlink.run(
            System.out,
            System.err,
            "--add-modules", MODULES,
            "--strip-debug", "--no-header-files", "--no-man-pages",
            "--compress", "zip-0",
            "--vm", "server",
            "--output", folder.resolve("runtime").toString());
    if (result != 0) {
      throw new IllegalStateException("jlink ended with " + result);
    }
  }

  private void app() throws IOException {
    Path lib = Files.createDirectories(folder.resolve("app").resolve("lib"));
    copy(target.resolve("lethe.jar"), lib.resolveSibling("lethe.jar"));
    try (Stream<Path> jars = Files.list(target.resolve("lib"))) {
      for (Path jar : jars.sorted().toList()) {
        String name = jar.getFileName().toString();
        if (!OF_ANOTHER_PLATFORM.matcher(name).matches()) {
          copy(jar, lib.resolve(name));
        }
      }
    }
  }

  /** Without a C++ compiler there is no harness, and the script says so; without nvcc there is nothing to try. */
  private void firstGpu() throws IOException {
    Path kernels = target.resolve("classes/dev/lethe/backend/cuda/driver");
    Path fatbins = folder.resolve("first-gpu").resolve("fatbins");
    try (Stream<Path> compiled = Files.list(kernels)) {
      for (Path fatbin : compiled.filter(file -> file.toString().endsWith(".fatbin")).sorted().toList()) {
        Files.createDirectories(fatbins);
        Files.copy(fatbin, fatbins.resolve(fatbin.getFileName()));
      }
    }
    if (!Files.exists(fatbins)) {
      return;
    }
    Path scripts = root.resolve("native/first-gpu");
    Path harness = target.resolve("native/first-gpu/first-gpu-kernels");
    for (Path file : List.of(scripts.resolve("run.sh"), scripts.resolve("torch_peer.py"), harness)) {
      if (Files.exists(file)) {
        Path copy = fatbins.resolveSibling(file.getFileName());
        Files.copy(file, copy);
        copy.toFile().setExecutable(true, false);
      }
    }
  }

  /** The jar without native code that is never loaded here, uncompressed: xz packs it better. */
  private static void copy(Path jar, Path to) throws IOException {
    if (!Files.exists(jar)) {
      throw new IllegalStateException(jar + " is not there; mvn package makes it");
    }
    try (ZipInputStream in = new ZipInputStream(new BufferedInputStream(Files.newInputStream(jar)));
        ZipOutputStream out =
            new ZipOutputStream(new BufferedOutputStream(Files.newOutputStream(to)))) {
      out.setLevel(0);
      for (ZipEntry entry = in.getNextEntry(); entry != null; entry = in.getNextEntry()) {
        String name = entry.getName();
        boolean foreign =
            NATIVE.matcher(name).matches() && !OF_THIS_PLATFORM.matcher(name).matches();
        if (!foreign && !NEVER_LOADED.matcher(name).matches()) {
          ZipEntry copy = new ZipEntry(name);
          copy.setTimeLocal(entry.getTimeLocal());
          out.putNextEntry(copy);
          in.transferTo(out);
          out.closeEntry();
        }
      }
    }
  }

  private Path pack() throws IOException, InterruptedException {
    boolean xz = runs("xz", "--version");
    if (!xz) {
      System.out.println("bundle: xz is not on the PATH: packing with gzip, half as large again");
    }
    Path packed =
        target.toAbsolutePath().resolve(folder.getFileName() + (xz ? ".tar.xz" : ".tar.gz"));
    Files.deleteIfExists(packed);
    List<String> command = new ArrayList<>(List.of("tar", "--sort=name", "--mtime=" + PACKED_AT));
    command.addAll(List.of("--owner=0", "--group=0", "--numeric-owner", "-C"));
    command.addAll(List.of(folder.getParent().toString(), xz ? "-cJf" : "-czf"));
    command.addAll(List.of(packed.toString(), folder.getFileName().toString()));
    int result = new ProcessBuilder(command).inheritIO().start().waitFor();
    if (result != 0) {
      throw new IllegalStateException("tar ended with " + result);
    }
    return packed;
  }

  private static boolean runs(String... command) throws InterruptedException {
    try {
      return new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start()
              .waitFor()
          == 0;
    } catch (IOException absent) {
      return false;
    }
  }

  private static long bytes(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files.filter(Files::isRegularFile).mapToLong(file -> file.toFile().length()).sum();
    }
  }

  private static void delete(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return;
    }
    try (Stream<Path> files = Files.walk(folder)) {
      files
          .sorted(Comparator.reverseOrder())
          .forEach(
              file -> {
                try {
                  Files.delete(file);
                } catch (IOException e) {
                  throw new UncheckedIOException(e);
                }
              });
    }
  }
}
