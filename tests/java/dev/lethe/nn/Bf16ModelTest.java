package dev.lethe.nn;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.autograd.Linearization;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.BackendProvider.Availability;
import dev.lethe.backend.cpu.CpuBackendProvider;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What frozen products with bfloat16 factors do to derivatives of whole models, against PyTorch in
 * true float64. Each product rounds both of its factors by up to 2^-8 of their size; the errors of a
 * pass through all layers add up without a common direction.
 */
class Bf16ModelTest {
  /** Relative to the norm: sixteen roundings of full size, all in one direction. */
  private static final double BOUND = 16 * 0x1p-8;

  /** What float32 stays below, see {@link TestBackends#bound}. */
  private static final double FLOAT32 = 1e-5;

  @ParameterizedTest
  @ValueSource(strings = {"llama3_rope", "qwen2_bias", "untied", "patterns", "stories_lora"})
  void derivativesStayNearFloat64(String name) {
    try (Backend backend = open();
        Golden golden =
            name.equals("stories_lora") ? Golden.stories(backend) : Golden.variant(name, backend);
        Batch batch = Batch.of(golden.samples, backend);
        Scope scope = backend.openScope("bfloat16 test");
        Linearization at =
            new Linearization(backend, golden.adapted.tape(batch), golden.adapter.theta())) {
      Tensor v = golden.direction(0, scope);
      check(name, "gradient", golden.error("gradient", at.gradient(scope)));
      check(name, "Hessian product", golden.error("hvp0", at.hvp(v, scope).row(0)));
      check(name, "Gauss-Newton product", golden.error("ggn0", at.ggn(v, scope).row(0)));
    }
  }

  private static void check(String model, String what, double error) {
    String found = model + ": " + what + " differs by " + error;
    assertTrue(error <= BOUND, found + ", bound " + BOUND);
    assertTrue(error > FLOAT32, found + ", which is float32's error: nothing was rounded");
  }

  private static Backend open() {
    BackendOptions options = new BackendOptions(2, DType.BF16, -1);
    CpuBackendProvider provider = new CpuBackendProvider();
    Availability found = provider.availability(options);
    assumeTrue(found.usable(), "products in bfloat16 were NOT tested: " + found.detail());
    return provider.open(options);
  }
}
