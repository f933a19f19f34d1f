package dev.lethe.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** What nvcc leaves beside the fatbins: ptxas's report of every kernel, and the PTX. No disassembler is needed. */
final class CompiledKernels {
  private static final Path FOLDER = Path.of(System.getProperty("lethe.native", "target/native"), "fatbin", "out");
  private static final Pattern COMPILED = Pattern.compile("Compiling entry function '(\\w+)' for '(\\w+)'");
  private static final Pattern USED = Pattern.compile("Used (\\d+) registers.*");
  private static final Pattern SHARED = Pattern.compile("(\\d+) bytes smem");
  private static final Pattern SPILLS =
      Pattern.compile("(\\d+) bytes stack frame, (\\d+) bytes spill stores, (\\d+) bytes spill loads");
  private static final Pattern ACCESS = Pattern.compile("\\b(?:ld|st)\\.global[\\w.:]*");

  private CompiledKernels() {}

  /**
   * What a thread or a block of a kernel takes on one target.
   *
   * @param sharedBytes of a block, without what a launch adds
   * @param spilledBytes of a thread, its stack frame included
   */
  record Resources(String kernel, String target, int registers, int sharedBytes, int spilledBytes) {}

  /** Of all kernels for all targets; skips the test where nvcc did not run. */
  static List<Resources> resources() throws IOException {
    List<Resources> all = new ArrayList<>();
    try (Stream<Path> reports = files(".fatbin.resources")) {
      for (Path report : reports.toList()) {
        addReport(report, all);
      }
    }
    assumeTrue(!all.isEmpty(), "no reports of ptxas in " + FOLDER + " (no nvcc): registers were NOT looked at");
    return all;
  }

  private static void addReport(Path report, List<Resources> all) throws IOException {
    String kernel = "";
    String target = "";
    int spilled = 0;
    for (String line : Files.readAllLines(report)) {
      Matcher compiled = COMPILED.matcher(line);
      Matcher spills = SPILLS.matcher(line);
      Matcher used = USED.matcher(line);
      if (compiled.find()) {
        kernel = compiled.group(1);
        target = compiled.group(2);
      } else if (spills.find()) {
        spilled = Integer.parseInt(spills.group(1)) + Integer.parseInt(spills.group(2))
            + Integer.parseInt(spills.group(3));
      } else if (used.find()) {
        Matcher shared = SHARED.matcher(line);
        int bytes = shared.find() ? Integer.parseInt(shared.group(1)) : 0;
        all.add(new Resources(kernel, target, Integer.parseInt(used.group(1)), bytes, spilled));
      }
    }
  }

  /** How often each instruction that reads or writes global memory stands in a kernel's PTX. */
  static Map<String, Integer> globalAccesses(String file, String kernel) throws IOException {
    Path ptx = FOLDER.resolve(file + ".fatbin.ptx");
    assumeTrue(Files.exists(ptx), () -> ptx + " is not there (no nvcc): its loads and stores were NOT looked at");
    String all = Files.readString(ptx);
    int start = all.indexOf(".entry " + kernel + "(");
    assertTrue(start >= 0, () -> kernel + " is not in " + ptx);
    int end = all.indexOf(".entry ", start + 1);
    Map<String, Integer> found = new HashMap<>();
    Matcher access = ACCESS.matcher(all.substring(start, end < 0 ? all.length() : end));
    while (access.find()) {
      found.merge(access.group(), 1, Integer::sum);
    }
    return found;
  }

  private static Stream<Path> files(String ending) throws IOException {
    return Files.isDirectory(FOLDER)
        ? Files.list(FOLDER).filter(file -> file.toString().endsWith(ending)).sorted()
        : Stream.empty();
  }
}
