package dev.lethe.backend.reference;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.lethe.backend.kernel.LayerNormKernels;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The reference's layer norm against numbers by hand, and its four rules against each other. */
final class LayerNormTest {
  private static final long SEED = 20_261_201;

  @ParameterizedTest
  @CsvSource({"1,2", "1,7", "3,5", "2,17"})
  void rulesAgree(int n, int d) {
    RulesCheck.check(new LayerNormRules(n, d, false), SEED);
    RulesCheck.check(new LayerNormRules(n, d, true), SEED);
  }

  @Test
  void numbersByHand() {
    Tensor w = Tensor.of(Shape.of(2), new double[] {2, 1});
    Tensor b = Tensor.of(Shape.of(2), new double[] {1, -1});
    Tensor x = Tensor.of(Shape.of(2, 2), new double[] {1, 3, 5, 0});
    Tensor f = Tensor.of(Shape.of(2, 2), new double[] {4, 4, -5, 0});
    LayerNormKernels.Primal p =
        new LayerNormKernels.Primal(w, Flat.output(2, 2), Flat.output(2), Flat.output(2));
    Tensor y = Flat.output(2, 2);
    new ReferenceLayerNorm().forward(new LayerNormKernels.Forward(p, b, 3, x, f, y));
    assertArrayEquals(new double[] {5, 7, 0, 0}, p.s().toDoubles());
    assertArrayEquals(new double[] {6, 0}, p.mean().toDoubles());
    assertArrayEquals(new double[] {.5, 1 / Math.sqrt(3)}, p.r().toDoubles()); // variances 1, 0
    assertArrayEquals(new double[] {0, -.5, 1, -1}, y.toDoubles());
  }
}
