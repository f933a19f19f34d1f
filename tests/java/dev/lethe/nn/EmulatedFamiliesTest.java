package dev.lethe.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.autograd.Linearization;
import dev.lethe.backend.Backend;
import dev.lethe.backend.cuda.EmulatedBackends;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Families with operations of their own, by the emulated CUDA kernels, against PyTorch and PEFT. */
class EmulatedFamiliesTest {
  @ParameterizedTest(name = "{0} {1}")
  @CsvSource({
    "qwen3, F32, 2e-5",
    "qwen3, BF16, 1e-1",
    "olmo2, F32, 2e-5",
    "olmo2, BF16, 1e-1",
    "gemma3, F32, 2e-5",
    "gemma3, BF16, 1e-1"
  })
  void derivativesAgreeWithFloat64(String name, DType type, double bound) {
    try (Backend backend = EmulatedBackends.open(type);
        Golden golden = Golden.variant(name, backend);
        Batch batch = Batch.of(golden.samples, backend);
        Scope scope = backend.openScope("derivatives");
        Linearization at =
            new Linearization(backend, golden.adapted.tape(batch), golden.adapter.theta())) {
      double[] losses = Golden.doubles(golden.json.at("/true_float64/losses"));
      assertBelow(bound, Golden.relative(at.losses(), losses), "losses");
      assertBelow(bound, golden.error("gradient", at.gradient(scope)), "gradient");
      Tensor v = golden.direction(0, scope);
      assertBelow(bound, golden.error("hvp0", at.hvp(v, scope).row(0)), "Hessian");
      assertBelow(bound, golden.error("ggn0", at.ggn(v, scope).row(0)), "Gauss-Newton");
      double[][] logits = golden.adapted.logits(golden.samples.getFirst().inputIds());
      double[] flat = Stream.of(logits).flatMapToDouble(Arrays::stream).toArray();
      assertBelow(bound, Golden.relative(flat, golden.logits().toDoubles()), "logits");
    }
  }

  @ParameterizedTest
  @CsvSource({"qwen3", "olmo2", "gemma3"})
  void generationWithACacheGivesTheTokensOfTransformers(String name) {
    try (Backend backend = EmulatedBackends.open(DType.F32);
        Golden golden = Golden.variant(name, backend)) {
      int[] prompt = Golden.ints(golden.json.at("/greedy/prompt"));
      int[] expected = Golden.ints(golden.json.at("/greedy/tokens"));
      GenerationOptions options = GenerationOptions.greedy(expected.length);
      assertArrayEquals(
          expected,
          new Generator(golden.adapted, Long.MAX_VALUE).generate(prompt, options, token -> true));
    }
  }

  private static void assertBelow(double bound, double error, String what) {
    assertTrue(error <= bound, what + " differs by " + error + ", bound " + bound);
  }
}
