package dev.lethe.backend.cuda;

import dev.lethe.backend.cuda.ContractRun.Suite;
import dev.lethe.tensor.DType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * A mistake that somebody could make in a kernel, and the contract cases that must notice it.
 *
 * @param kind what is wrong, in words
 * @param file of {@code kernels/}
 * @param unit the file of kernels that is compiled with it: itself, or one that includes this header
 * @param text whole lines that stand there once
 * @param replacement the lines with the mistake
 */
record KernelMutant(
    String kind, String file, String unit, String text, String replacement, Suite suite) {
  private static final Path LISTS = Path.of("tests", "resources", "kernel-mutants");
  private static final Pattern ENTRY =
      Pattern.compile(
          "(.+) \\| (\\S+)(?: in (\\S+))? \\| ([\\w@]+) (\\w+) (\\d+) (.+)\n((?:-.*\n)+)((?:\\+.*\n)*)");

  /** All mutants of all lists; {@code kernels.txt} says what their lines mean. */
  static List<KernelMutant> all() throws IOException {
    List<KernelMutant> mutants = new ArrayList<>();
    try (Stream<Path> files = Files.list(LISTS)) {
      for (Path list : files.sorted().toList()) {
        mutants.addAll(of(list));
      }
    }
    return mutants;
  }

  private static List<KernelMutant> of(Path list) throws IOException {
    List<KernelMutant> mutants = new ArrayList<>();
    for (String entry : Files.readString(list).strip().split("\n\n+")) {
      Matcher parts = ENTRY.matcher(entry + "\n");
      if (parts.matches()) {
        mutants.add(of(parts));
      } else if (!entry.startsWith("#")) {
        throw new IOException(list + ": not a mutant:\n" + entry);
      }
    }
    return mutants;
  }

  private static KernelMutant of(Matcher parts) {
    Suite suite =
        new Suite(
            parts.group(4),
            DType.valueOf(parts.group(5)),
            Integer.parseInt(parts.group(6)),
            parts.group(7));
    String file = parts.group(2);
    return new KernelMutant(
        parts.group(1),
        file,
        Objects.requireNonNullElse(parts.group(3), file),
        lines(parts.group(8)),
        lines(parts.group(9)),
        suite);
  }

  /** Without the first character of each line. */
  private static String lines(String marked) {
    return marked.replaceAll("(?m)^.", "");
  }

  @Override
  public String toString() {
    return "%s, %s: %s".formatted(kind, file, text.strip().replaceAll("\\s+", " "));
  }
}
