package dev.lethe.backend.cuda.blas;

import java.io.File;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Folders in which toolkits and Python packages put NVIDIA's libraries.
 *
 * @param environment values of environment variables, null where unset
 * @param root of the file system
 * @param home the user's folder
 * @param windows whether libraries lie where they do on Windows
 */
record UsualPlaces(UnaryOperator<String> environment, Path root, Path home, boolean windows) {
  /** Folders that exist, best first. */
  List<Path> folders() {
    Set<Path> all = new LinkedHashSet<>();
    for (Path toolkit : toolkits()) {
      for (String below : windows ? List.of("bin/x64", "bin") : List.of("lib64", "targets/x86_64-linux/lib", "lib")) {
        all.add(toolkit.resolve(below));
      }
    }
    for (Path packages : pythonPackages()) {
      Path nvidia = packages.resolve("nvidia");
      all.add(nvidia.resolve(windows ? "cu13/bin/x86_64" : "cu13/lib"));
      all.add(nvidia.resolve(windows ? "cublas/bin" : "cublas/lib"));
    }
    return all.stream().filter(Files::isDirectory).toList();
  }

  private List<Path> toolkits() {
    List<Path> found = new ArrayList<>();
    for (String variable : List.of("CUDA_PATH", "CUDA_HOME", "CONDA_PREFIX")) {
      addVariable(found, variable);
    }
    found.addAll(matching(root.resolve("usr/local"), "cuda*"));
    return found;
  }

  private List<Path> pythonPackages() {
    List<Path> prefixes = new ArrayList<>();
    addVariable(prefixes, "VIRTUAL_ENV");
    addVariable(prefixes, "CONDA_PREFIX");
    addPythonOnPath(prefixes);
    if (home.isAbsolute()) {
      prefixes.add(home.resolve(".local"));
      addEnvironments(prefixes, home);
    }
    prefixes.add(root.resolve("usr/local"));
    prefixes.add(root.resolve("usr"));
    addEnvironments(prefixes, root.resolve("opt"));
    List<Path> found = new ArrayList<>();
    for (Path prefix : prefixes) {
      for (Path python : windows ? List.of(prefix.resolve("Lib")) : matching(prefix.resolve("lib"), "python3*")) {
        found.add(python.resolve("site-packages"));
        found.add(python.resolve("dist-packages"));
      }
    }
    return found;
  }

  /** The prefix of the python3 that a shell would run, as its path says: a virtual environment's is a link. */
  private void addPythonOnPath(List<Path> prefixes) {
    String path = Optional.ofNullable(environment.apply("PATH")).orElse("");
    Stream.of(path.split(Pattern.quote(File.pathSeparator)))
        .map(Path::of)
        .filter(folder -> folder.isAbsolute() && folder.getParent() != null)
        .filter(folder -> Files.isExecutable(folder.resolve(windows ? "python.exe" : "python3")))
        .findFirst()
        .map(folder -> windows ? folder : folder.getParent())
        .ifPresent(prefixes::add);
  }

  /** Folders that may be Python environments: all in a folder, and what is usually named so one level below. */
  private static void addEnvironments(List<Path> prefixes, Path folder) {
    List<Path> within = matching(folder, "*");
    prefixes.addAll(within);
    for (Path parent : within) {
      prefixes.add(parent.resolve(".venv"));
      prefixes.add(parent.resolve("venv"));
    }
  }

  private void addVariable(List<Path> found, String variable) {
    String value = environment.apply(variable);
    if (value != null && !value.isBlank()) {
      found.add(root.resolve(value));
    }
  }

  /** Entries of a folder, the plain name first and then the highest version. */
  private static List<Path> matching(Path folder, String pattern) {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    List<Path> found = new ArrayList<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(folder, pattern)) {
      entries.forEach(found::add);
    } catch (IOException unreadable) {
      return List.of();
    }
    found.sort(
        Comparator.comparingInt(UsualPlaces::version)
            .reversed()
            .thenComparing(Path::toString));
    return found;
  }

  /** As a number, 13.0 being 13,000; highest where the name says no version. */
  private static int version(Path path) {
    String name = path.getFileName().toString();
    String digits = name.replaceFirst("^[^0-9]*", "");
    String[] parts = digits.split("\\D+", 3);
    try {
      int minor = parts.length > 1 && !parts[1].isEmpty() ? Integer.parseInt(parts[1]) : 0;
      return digits.isEmpty() ? Integer.MAX_VALUE : 1000 * Integer.parseInt(parts[0]) + minor;
    } catch (NumberFormatException notANumber) {
      return 0;
    }
  }
}
