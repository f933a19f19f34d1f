package dev.lethe.backend.cuda;

import static dev.lethe.tensor.DType.BF16;
import static dev.lethe.tensor.DType.F32;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.cuda.ContractRun.Outcome;
import dev.lethe.backend.cuda.ContractRun.Suite;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/**
 * The kernels under AddressSanitizer, which ends the process where a kernel reads or writes outside
 * the tensors of a call or the block's shared arrays.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class AddressSanitizerTest {
  /** What of long contracts is run, on buffers that are aligned to 16 bytes and on others. */
  private static final List<Suite> OF_LONG_ONES =
      List.of(
          new Suite("attention", BF16, 64, "headSize=32"),
          new Suite("attention", BF16, 13, "headSize=32, window=40"),
          new Suite("attention", F32, 13, "headSize=48"),
          new Suite("attentionDerivatives", BF16, 64, "heads=2, keyHeads=1, headSize=32"),
          new Suite("attentionDerivatives", BF16, 13, "heads=1, keyHeads=1, headSize=64"),
          new Suite("attentionDerivatives", BF16, 13, "heads=2, keyHeads=1, headSize=2,"),
          new Suite("attentionDerivatives", F32, 13, "heads=2, keyHeads=1, headSize=8"),
          new Suite("attention@wgmma", BF16, 64, "heads=1, keyHeads=1, headSize=64"),
          new Suite("attentionDerivatives@wgmma", BF16, 64, "heads=2, keyHeads=1, headSize=64"),
          new Suite("lora", BF16, 64, "LoraSizes[n=33"),
          new Suite("lora", BF16, 13, "LoraSizes[n=5,"),
          new Suite("lora", F32, 64, "LoraSizes[n=7,"),
          new Suite("loraGradients", BF16, 64, "LoraSizes[n=40"),
          new Suite("loraGradients", BF16, 13, "LoraSizes[n=33"),
          new Suite("loraGradients", F32, 64, "LoraSizes[n=40"),
          new Suite("loraGradients", F32, 13, "LoraSizes[n=5,"),
          new Suite("loss", BF16, 64, "Sizes[m=5"),
          new Suite("loss", BF16, 13, "Sizes[m=13"),
          new Suite("loss", F32, 64, "Sizes[m=5"),
          new Suite("products", BF16, 64, "k=24,"),
          new Suite("products", BF16, 64, "k=900,"),
          new Suite("replay", F32, 64, "Sizes[n=17,"),
          new Suite("replay", F32, 13, "Sizes[n=100,"),
          new Suite("sketch", F32, 64, "Sizes[n=33,"),
          new Suite("sketch", F32, 64, "Sizes[n=70,"),
          new Suite("sketch", F32, 13, "Sizes[n=5,"),
          new Suite("vectors", F32, 64, ""),
          new Suite("vectors", F32, 13, ""));

  private static final int STARTS = 20;
  private static final String NO_PLACE = "Shadow memory range interleaves";

  private EmulatorBuild emulator;
  private Map<String, String> environment;

  @BeforeAll
  void build(@TempDir Path folder) throws Exception {
    emulator = EmulatorBuild.of(folder, "kernels_emulator_asan");
    Path runtime = emulator.sanitizer().orElse(null);
    EmulatorBuild.require(runtime != null, "the C++ compiler is not g++ or has no libasan");
    environment =
        Map.of(
            "LD_PRELOAD",
            runtime.toString(),
            "ASAN_OPTIONS",
            "handle_segv=0:allow_user_segv_handler=1:use_sigaltstack=0:detect_leaks=0:exitcode="
                + ContractRun.SANITIZER);
  }

  @Test
  void kernelsStayWithinTheirMemory() throws Exception {
    Outcome outcome = sanitized(emulator.unchanged(), suites());
    assertEquals(ContractRun.PASSED, outcome.status(), outcome::output);
  }

  /** Every contract in both types: all cases of those that are not long. */
  private static List<Suite> suites() {
    List<Suite> suites = new ArrayList<>(OF_LONG_ONES);
    for (String contract : ContractRun.contracts()) {
      if (OF_LONG_ONES.stream().noneMatch(suite -> suite.contract().equals(contract))) {
        suites.add(new Suite(contract, BF16, 64, ""));
        suites.add(new Suite(contract, F32, 13, ""));
      }
    }
    return suites;
  }

  @Test
  void readingBehindATensorIsReported() throws Exception {
    assertReported(
        "use-after-poison",
        "gated_unit.cu",
        "gated_unit.cu",
        "load<W>(a + from)",
        "load<W>(a + from + 1)",
        new Suite("gatedUnit", F32, 13, "forward"));
  }

  @Test
  void writingBehindASharedArrayIsReported() throws Exception {
    assertReported(
        "use-after-poison",
        "lora.cu",
        "lora.cu",
        "sums[threadIdx.x / WARP] = sum",
        "sums[threadIdx.x / WARP + 1] = sum",
        new Suite("loraGradients", F32, 13, "perSampleDot"));
  }

  @Test
  void addingAProductBehindItsSumsIsReported() throws Exception {
    assertReported(
        "stack-buffer-overflow",
        "attention_warp.cuh",
        "attention_forward.cu",
        "mma_bf16(s[2 * j + 1], a, second)",
        "mma_bf16(s[2 * j + 2], a, second)",
        new Suite("attention", BF16, 64, "headSize=32"));
  }

  private void assertReported(
      String error, String file, String unit, String text, String replacement, Suite suite) throws Exception {
    emulator.unchanged();
    Path library = emulator.mistaken(file, file, unit, text, replacement);
    Outcome outcome = sanitized(library, List.of(suite));
    assertEquals(ContractRun.SANITIZER, outcome.status(), outcome::output);
    assertTrue(outcome.output().contains("AddressSanitizer: " + error), outcome::output);
    assertTrue(outcome.output().contains(file), outcome::output);
  }

  /** Starts again where the system put something at random into the sanitizer's own place. */
  private Outcome sanitized(Path library, List<Suite> suites) throws Exception {
    Outcome outcome = ContractRun.inProcess(library, 1, environment, suites);
    for (int i = 0; i < STARTS && outcome.output().contains(NO_PLACE); i++) {
      outcome = ContractRun.inProcess(library, 1, environment, suites);
    }
    return outcome;
  }
}
