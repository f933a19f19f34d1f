package dev.lethe.bench.predict;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.bench.Operation;
import dev.lethe.bench.Workload;
import dev.lethe.bench.WorkloadCost;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class PredictionTest {
  private static final Path PAGE = Path.of("docs/gpu-model.md");
  private static final List<Operation> OPERATIONS =
      List.of(Operation.GRAD, Operation.PER_SAMPLE, Operation.HVP, Operation.HVP_AGAIN, Operation.GGN);
  private static final Workload LLAMA_1B = known("llama1b");
  private static final List<Workload> WORKLOADS =
      List.of(LLAMA_1B, LLAMA_1B.sized(1, 256, LLAMA_1B.layers()), known("llama7b"));

  @Test
  void thePageShowsTheConstants() throws IOException {
    String page = Files.readString(PAGE);
    for (H200 constant : H200.values()) {
      String row =
          Text.format("| `%s` | %.3g | %s | %s |", constant, constant.value(), constant.unit(), constant.source());
      assertTrue(page.contains(row), () -> PAGE + " lacks " + row);
    }
  }

  @Test
  void thePageShowsWhatTheModelSays() throws IOException {
    String page = Files.readString(PAGE);
    StringBuilder missing = new StringBuilder();
    for (Workload workload : WORKLOADS) {
      for (Operation op : OPERATIONS) {
        Prediction prediction = Prediction.of(workload, op, AttentionProducts.WARPS);
        String row =
            Text.format(
                "| %s, %d × %d | `%s` | %.1f | %.1f | %.1f | %.0f |",
                workload.name(),
                workload.batch(),
                workload.seq(),
                op.label(),
                1e3 * prediction.seconds(),
                1e3 * Prediction.of(workload, op, AttentionProducts.WARPGROUPS).seconds(),
                1e3 * productSeconds(workload, op),
                prediction.launches());
        if (!page.contains(row)) {
          missing.append(row).append('\n');
        }
      }
    }
    assertEquals("", missing.toString(), PAGE + " lacks these rows");
  }

  /** No kernel is faster than its bytes and its operations at the rates of the constants. */
  @Test
  void nothingIsFasterThanTheMachine() {
    for (Workload workload : WORKLOADS) {
      for (Operation op : OPERATIONS) {
        Prediction prediction = Prediction.of(workload, op, AttentionProducts.WARPGROUPS);
        double bytes =
            prediction.kernels().stream().mapToDouble(each -> each.launches() * each.bytes()).sum();
        assertAll(
            () -> assertTrue(prediction.seconds() > productSeconds(workload, op), op.label()),
            () -> assertTrue(prediction.seconds() > bytes / H200.MEMORY.value(), op.label()));
      }
    }
  }

  /** The launches of a layer that LoraTrafficTest counts. */
  @Test
  void aDeeperModelHasTheLaunchesOfItsLayers() {
    assertEquals(47, launchesOfALayer(Operation.GRAD));
    assertEquals(59, launchesOfALayer(Operation.HVP_AGAIN));
  }

  private static double launchesOfALayer(Operation op) {
    double one = Prediction.of(LLAMA_1B.sized(8, 1024, 1), op, AttentionProducts.WARPS).launches();
    return Prediction.of(LLAMA_1B.sized(8, 1024, 2), op, AttentionProducts.WARPS).launches() - one;
  }

  @Test
  void operationsOnSeveralVectorsHaveNoPrediction() {
    assertThrows(
        ArgumentException.class, () -> Prediction.of(LLAMA_1B, Operation.HVP_BLOCK, AttentionProducts.WARPS));
  }

  private static double productSeconds(Workload workload, Operation op) {
    return new WorkloadCost(workload).flops(op, 1) / H200.TENSOR_PEAK.value();
  }

  private static Workload known(String name) {
    return Workload.KNOWN.stream().filter(each -> each.name().equals(name)).findFirst().orElseThrow();
  }
}
