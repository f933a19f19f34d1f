package dev.lethe.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.tensor.DType;
import org.junit.jupiter.api.Test;

/** The counted work of the workloads, against counts by hand. */
class WorkloadCostTest {
  private static Workload named(String name) {
    return Workload.KNOWN.stream().filter(w -> w.name().equals(name)).findFirst().orElseThrow();
  }

  @Test
  void aForwardIsTwoOperationsAWeightAndToken() {
    Workload w = named("stories15m").sized(1, 256, 6);
    double layer = 4.0 * 288 * 288 + 3.0 * 288 * 768;
    double products = 2 * (255 * 6 * layer + 255 * 288.0 * 32000);
    double adapters = 2 * 255 * 6 * 8.0 * 2 * (288 + 288);
    double attention = 2 * (2 * (255 * 256 / 2.0) * 288) * 6;
    assertEquals(
        products + adapters + attention, new WorkloadCost(w).flops(Operation.FORWARD, 1), 1);
  }

  @Test
  void theHessianProductOfThePerformancePageIsFourForwardsOfProducts() {
    WorkloadCost cost = new WorkloadCost(named("stories15m"));
    double hvp = cost.flops(Operation.HVP, 1);
    assertTrue(hvp > 250e9 && hvp < 290e9, "got " + hvp);
    assertTrue(hvp / cost.flops(Operation.FORWARD, 1) > 3.9, "less than four forwards");
  }

  @Test
  void aBlockCountsEachOfItsVectors() {
    WorkloadCost cost = new WorkloadCost(named("micro"));
    double eight = 8 * cost.flops(Operation.HVP_AGAIN, 1);
    double block = cost.flops(Operation.HVP_BLOCK, 8);
    assertTrue(block < eight && block > 0.95 * eight, "attention's probabilities are shared");
    assertEquals(
        cost.weightBytes(Operation.HVP_AGAIN, DType.F32),
        cost.weightBytes(Operation.HVP_BLOCK, DType.F32));
  }

  @Test
  void weightsInBf16AreHalf() {
    WorkloadCost cost = new WorkloadCost(named("llama1b"));
    double perToken = cost.weightBytes(Operation.FORWARD, DType.BF16) / 2;
    assertEquals(1.24e9, perToken, 0.01e9, "a Llama of 1.24 billion weights, one head");
    assertEquals(
        2 * cost.weightBytes(Operation.GRAD, DType.BF16), cost.weightBytes(Operation.GRAD, DType.F32));
  }
}
