package dev.lethe.backend.cuda;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** The machine code of compiled kernels, by NVIDIA's disassembler where it is at hand. */
final class MachineCode {
  private static final Path FATBINS = Path.of("target/classes/dev/lethe/backend/cuda/driver");
  private static final Pattern FUNCTION = Pattern.compile("\\s*Function : (\\w+)");
  private static final Pattern INSTRUCTION =
      Pattern.compile("\\s*/\\*([0-9a-f]{4,})\\*/\\s+(?:@!?U?P\\w+\\s+)?([A-Z0-9_.]+)([^;]*);.*");
  private static final Pattern TARGET = Pattern.compile("0x([0-9a-f]+)");
  private static final Pattern REGISTERS = Pattern.compile("Function (\\w+):\\s+REG:(\\d+)");

  /** What was disassembled before, by file and target: it takes seconds. */
  private static final Map<String, Map<String, Loop>> KNOWN = new HashMap<>();

  private MachineCode() {}

  /** An instruction, and where it may go on; -1: behind it. */
  private record Instruction(long address, String name, long target) {}

  /**
   * The innermost loop with matrix products.
   *
   * @param instructions all that stand in it, those too that only a tile on the diagonal needs
   * @param products on tensor cores
   * @param matrixLoads of four matrices from shared memory
   * @param registers of a thread of the kernel
   */
  record Loop(int instructions, int products, int matrixLoads, int registers) {}

  /** The main loops of a file's kernels for a target, by kernel; skips the test where it cannot look. */
  static synchronized Map<String, Loop> loops(String file, String target) throws IOException, InterruptedException {
    Map<String, Loop> known = KNOWN.get(file + target);
    if (known == null) {
      known = disassembled(file, target);
      KNOWN.put(file + target, known);
    }
    return known;
  }

  private static Map<String, Loop> disassembled(String file, String target) throws IOException, InterruptedException {
    Path fatbin = FATBINS.resolve(file + ".fatbin");
    assumeTrue(Files.exists(fatbin), () -> fatbin + " is not there (no nvcc): its code was NOT looked at");
    Optional<Path> tool = disassembler();
    assumeTrue(tool.isPresent(), "no cuobjdump on the PATH or in a toolkit: the kernels' code was NOT looked at");
    Map<String, Integer> registers = new HashMap<>();
    Matcher used = REGISTERS.matcher(run(tool.get(), fatbin, target, "-res-usage"));
    while (used.find()) {
      registers.put(used.group(1), Integer.parseInt(used.group(2)));
    }
    Map<String, List<Instruction>> code = new HashMap<>();
    List<Instruction> current = new ArrayList<>();
    for (String line : run(tool.get(), fatbin, target, "-sass").lines().toList()) {
      Matcher function = FUNCTION.matcher(line);
      Matcher instruction = INSTRUCTION.matcher(line);
      if (function.matches()) {
        current = code.computeIfAbsent(function.group(1), name -> new ArrayList<>());
      } else if (instruction.matches()) {
        String name = instruction.group(2);
        Matcher goal = TARGET.matcher(instruction.group(3));
        long to = name.equals("BRA") && goal.find() ? Long.parseLong(goal.group(1), 16) : -1;
        current.add(new Instruction(Long.parseLong(instruction.group(1), 16), name, to));
      }
    }
    Map<String, Loop> loops = new HashMap<>();
    code.forEach((kernel, body) -> loops.put(kernel, innermost(body, registers.getOrDefault(kernel, 0))));
    return loops;
  }

  private static Loop innermost(List<Instruction> code, int registers) {
    Loop best = new Loop(Integer.MAX_VALUE, 0, 0, registers);
    for (Instruction branch : code) {
      if (branch.target >= 0 && branch.target < branch.address) {
        List<Instruction> body =
            code.stream().filter(i -> i.address >= branch.target && i.address <= branch.address).toList();
        int products = count(body, "HMMA") + count(body, "HGMMA");
        if (products > 0 && body.size() < best.instructions) {
          best = new Loop(body.size(), products, count(body, "LDSM"), registers);
        }
      }
    }
    return best;
  }

  private static int count(List<Instruction> body, String beginning) {
    return (int) body.stream().filter(instruction -> instruction.name.startsWith(beginning)).count();
  }

  private static Optional<Path> disassembler() {
    String cuda = System.getenv().getOrDefault("CUDA_PATH", "/usr/local/cuda");
    Stream<Path> path = Arrays.stream(System.getenv().getOrDefault("PATH", "").split(":")).map(Path::of);
    return Stream.concat(path, Stream.of(Path.of(cuda, "bin")))
        .map(folder -> folder.resolve("cuobjdump"))
        .filter(Files::isExecutable)
        .findFirst();
  }

  private static String run(Path tool, Path fatbin, String target, String what)
      throws IOException, InterruptedException {
    ProcessBuilder builder = new ProcessBuilder(tool.toString(), "-arch", target, what, fatbin.toString());
    builder.environment().merge("PATH", tool.getParent().toString(), (all, own) -> own + ":" + all);
    Process process = builder.redirectErrorStream(true).start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assumeTrue(
        process.waitFor() == 0,
        () -> "cuobjdump cannot read " + fatbin + ", NOT looked at: " + said.lines().findFirst());
    return said;
  }
}
