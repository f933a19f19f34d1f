package dev.lethe.backend.cuda;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.lethe.ArgumentException;
import dev.lethe.backend.Backend;
import dev.lethe.backend.contract.Contract;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.tensor.DType;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.function.Executable;

/**
 * Contract cases against a library of emulated kernels that may do anything, in a process of their
 * own.
 */
final class ContractRun {
  /** What the process says by its exit status; a JVM that did not start says 1. */
  static final int PASSED = 0;

  static final int FAILED = 10;
  static final int SANITIZER = 99;
  private static final int BROKEN = 11;

  /** What precedes the status on the line that ends an answer. */
  static final String ANSWER = "contract run ended: ";

  static final long MINUTES = 10;
  private static final long SEED = 1;
  private static final String PRODUCTS = "products";

  /** Behind the name of a contract: with the kernels of warpgroups. */
  private static final String WARPGROUPS = "@wgmma";

  private ContractRun() {}

  /** The contracts that suites name, but for products. */
  static SortedSet<String> contracts() {
    return new TreeSet<>(Contract.all().keySet());
  }

  /**
   * Some cases of a contract.
   *
   * @param contract a group of {@link Contract}, with "@wgmma" behind it for kernels of warpgroups; or "products"
   * @param type of activations; products choose their own
   * @param guard elements of each guard zone; 64 keep buffers at multiples of 16 bytes
   * @param cases what the names of the cases contain
   */
  record Suite(String contract, DType type, int guard, String cases) {
    String text() {
      return "%s|%s|%d|%s".formatted(contract, type, guard, cases);
    }

    private static Suite of(String text) {
      String[] parts = text.split("\\|", 4);
      return new Suite(parts[0], DType.valueOf(parts[1]), Integer.parseInt(parts[2]), parts[3]);
    }
  }

  /** How a process ended, and all that it printed. */
  record Outcome(int status, String output) {}

  /**
   * Runs these cases against the library in a new process, up to the first that fails.
   *
   * @param rounds how often, each time with other orders of warps
   */
  static Outcome inProcess(
      Path library, int rounds, Map<String, String> environment, List<Suite> suites)
      throws IOException, InterruptedException {
    List<String> arguments = new ArrayList<>(List.of(library.toString(), Integer.toString(rounds)));
    suites.forEach(s -> arguments.add(s.text()));
    ProcessBuilder builder = new ProcessBuilder(command(arguments));
    builder.environment().putAll(environment);
    return run(builder);
  }

  /** What starts a process of {@link #main} with these arguments. */
  static List<String> command(List<String> arguments) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"));
    command.addAll(List.of("-XX:-CreateCoredumpOnCrash", "--enable-native-access=ALL-UNNAMED"));
    command.addAll(List.of("-cp", System.getProperty("java.class.path")));
    command.add(ContractRun.class.getName());
    command.addAll(arguments);
    return command;
  }

  /** Runs a command to its end. */
  static Outcome run(ProcessBuilder builder) throws IOException, InterruptedException {
    Path output = Files.createTempFile("lethe-", ".txt");
    try {
      Process process = builder.redirectErrorStream(true).redirectOutput(output.toFile()).start();
      if (!process.waitFor(MINUTES, TimeUnit.MINUTES)) {
        process.destroyForcibly().waitFor();
        throw new IOException(
            "%s took more than %d minutes:%n%s"
                .formatted(builder.command().getFirst(), MINUTES, Files.readString(output)));
      }
      return new Outcome(process.exitValue(), Files.readString(output));
    } finally {
      Files.delete(output);
    }
  }

  /** Library, rounds, suites; where nothing is given, the same from each line of the input, between tabs. */
  public static void main(String[] arguments) throws IOException {
    if (arguments.length > 0) {
      System.exit(status(arguments));
    }
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      System.out.println(ANSWER + status(line.split("\t")));
    }
  }

  private static int status(String[] arguments) {
    try {
      int rounds = Integer.parseInt(arguments[1]);
      for (int i = 2; i < arguments.length; i++) {
        run(Path.of(arguments[0]), rounds, Suite.of(arguments[i]));
      }
      return PASSED;
    } catch (AssertionError e) {
      System.out.println("failed: " + e.getMessage());
      return FAILED;
    } catch (Throwable e) {
      e.printStackTrace(System.out);
      return BROKEN;
    }
  }

  private static void run(Path library, int rounds, Suite suite) throws Throwable {
    if (suite.contract.equals(PRODUCTS)) {
      run(
          suite,
          rounds,
          TiledProductsTest.tests(() -> EmulatedDevice.open(library, SEED, false))
              .map(test -> Map.entry(test.getDisplayName(), test.getExecutable())));
      return;
    }
    boolean warpgroups = suite.contract.endsWith(WARPGROUPS);
    EmulatedDevice device = EmulatedDevice.open(library, SEED, warpgroups);
    try (Backend tested = EmulatedBackends.on(device, suite.type);
        KernelBench bench =
            new KernelBench(tested, suite.guard, device.guardZones(), KernelBench.SEED)) {
      run(
          suite,
          rounds,
          Contract.all()
              .get(suite.contract.replace(WARPGROUPS, ""))
              .apply(bench)
              .map(c -> Map.entry(c.name(), (Executable) c::run)));
    }
  }

  private static void run(Suite suite, int rounds, Stream<Map.Entry<String, Executable>> cases)
      throws Throwable {
    List<Map.Entry<String, Executable>> chosen =
        cases.filter(c -> c.getKey().contains(suite.cases)).toList();
    if (chosen.isEmpty()) {
      throw new ArgumentException("no case of " + suite);
    }
    for (int round = 0; round < rounds; round++) {
      for (Map.Entry<String, Executable> c : chosen) {
        c.getValue().execute();
      }
    }
    System.out.printf("%s: %d cases passed%n", suite, chosen.size());
  }
}
