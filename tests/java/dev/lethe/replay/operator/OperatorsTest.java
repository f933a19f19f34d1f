package dev.lethe.replay.operator;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.ArgumentException;
import dev.lethe.backend.kernel.LoraGradientKernels;
import dev.lethe.replay.SoftmaxLayer;
import dev.lethe.replay.prepare.WeightGradients;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The operators by themselves, on one LoRA softmax layer. */
class OperatorsTest {
  private static final long SEED = 12;
  private static final long P = SoftmaxLayer.PARAMETERS;

  /** The Hessian of a layer whose loss sees only its weight is Gauss-Newton and the bilinear term. */
  @ParameterizedTest
  @CsvSource({"reference,1e-12", "cpu,1e-5"})
  void theHessianIsGaussNewtonAndTheBilinearTerm(String device, double bound) {
    try (SoftmaxLayer net = new SoftmaxLayer(device, SEED);
        BilinearTerm bilinear = bilinear(net, 0)) {
      Tensor d = net.random(1, 3, P);
      Tensor hessian = net.zeros(3, P);
      net.at.addHvp(d, 0.7, hessian);
      Tensor sum = net.zeros(3, P);
      net.at.addGgn(d, 0.7, sum);
      assertTrue(net.distance(sum, hessian) > 0.1, "the bilinear term is not small");
      bilinear.addProduct(0, d, 0.7, sum);
      double error = net.distance(sum, hessian);
      assertTrue(error < bound, device + ", seed " + SEED + ": " + error);
    }
  }

  private static BilinearTerm bilinear(SoftmaxLayer net, int step) {
    BilinearTerm term = new BilinearTerm(net.backend, List.of(net.layer));
    try (WeightGradients gradients = new WeightGradients(net.backend, List.of(net.layer), SoftmaxLayer.TOKENS)) {
      net.at.forEachAdapter(gradients.adder(1));
      term.addMean(step, gradients.lowRank(16));
    }
    return term;
  }

  @Test
  void aLongSketchIsGaussNewton() {
    int draws = 40_000;
    int block = 4_000;
    try (SoftmaxLayer net = new SoftmaxLayer("reference", SEED)) {
      Tensor unit = unit(net);
      Tensor exact = net.zeros(P, P);
      net.at.addGgn(unit, 1, exact);
      Tensor estimate = net.zeros(P, P);
      for (int at = 0; at < draws; at += block) {
        Tensor rows = net.zeros(block, P);
        net.at.drawn(
            block,
            false,
            SEED + at,
            (slot, xa, u, h, gy) ->
                net.backend.run(
                    new LoraGradientKernels.Gradient(slot, new LoraGradientKernels.Kept(xa, u, h, gy), 1, rows)));
        try (SketchedGgn part =
            new SketchedGgn(net.backend, List.of(new SketchedGgn.Part(rows, 1.0 / draws)))) {
          part.addProduct(0, unit, 1, estimate);
        }
      }
      double error = net.distance(estimate, exact);
      assertTrue(error < 0.03, "seed " + SEED + ": " + error);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu"})
  void columnsAreMultipliedAsEachAlone(String device) {
    double bound = device.equals("reference") ? 1e-13 : 1e-5;
    try (SoftmaxLayer net = new SoftmaxLayer(device, SEED);
        WeightedSum sum =
            new WeightedSum(
                List.of(
                    new WeightedSum.Term(0.7, sketch(net, DType.BF16)),
                    new WeightedSum.Term(0.3, sketch(net, net.backend.vectorType())),
                    new WeightedSum.Term(1, bilinear(net, 4))))) {
      Tensor d = net.random(1, 5, P);
      Tensor all = net.random(1, 5, P);
      Tensor each = net.scope.allocate(net.backend.vectorType(), 5, P);
      net.backend.vectors().copy(all, each);
      sum.addProduct(2, d, -1.5, all);
      for (int j = 0; j < 5; j++) {
        sum.addProduct(2, d.slice(j, 1), -1.5, each.slice(j, 1));
      }
      assertTrue(net.distance(all, each) < bound, device + ": " + net.distance(all, each));
      assertEquals("0.70 sketch of 9 rows + 0.30 sketch of 9 rows + 1.0 bilinear", sum.name());
    }
  }

  @Test
  void productsThatTakeTurnsAreTheWholeInTheMean() {
    try (SoftmaxLayer net = new SoftmaxLayer("reference", SEED)) {
      Tensor rows = net.random(1, 12, P);
      List<SketchedGgn.Part> parts =
          IntStream.range(0, 6).mapToObj(i -> new SketchedGgn.Part(rows.slice(2 * i, 2), 0.25)).toList();
      Tensor d = net.random(1, 2, P);
      try (SketchedGgn whole = new SketchedGgn(net.backend, parts);
          SketchedGgn inTurns = new SketchedGgn(net.backend, parts, 4)) {
        Tensor full = product(net, whole, 0, d);
        Tensor mean = net.zeros(2, P);
        for (int k = 0; k < 3; k++) {
          Tensor one = product(net, inTurns, k, d);
          assertTrue(net.distance(one, full) > 0.1, "product " + k + " reads all");
          net.backend.vectors().axpy(1.0 / 3, one, mean);
        }
        assertTrue(net.distance(mean, full) < 1e-12, "seed " + SEED + ": " + net.distance(mean, full));
      }
    }
  }

  @Test
  void aSketchIsTheSumOfItsRowsAndSemiDefinite() {
    try (SoftmaxLayer net = new SoftmaxLayer("reference", SEED);
        SketchedGgn sketch = sketch(net, DType.BF16)) {
      double[] rows = part(net, DType.BF16).rows().toDoubles();
      Tensor d = net.random(1, 2, P);
      Tensor out = net.zeros(2, P);
      sketch.addProduct(0, d, 3, out);
      double[] v = net.values(d);
      double[] expected = new double[v.length];
      int p = (int) P;
      for (int j = 0; j < 2; j++) {
        double form = 0;
        for (int i = 0; i < 9; i++) {
          double dot = 0;
          for (int c = 0; c < p; c++) {
            dot += rows[i * p + c] * v[j * p + c];
          }
          form += dot * dot;
          for (int c = 0; c < p; c++) {
            expected[j * p + c] += 3 * 0.25 * dot * rows[i * p + c];
          }
        }
        assertEquals(3 * 0.25 * form, net.backend.vectors().dot(d.row(j), out.row(j)), 1e-9);
      }
      assertArrayEquals(expected, net.values(out), 1e-10);
    }
  }

  @Test
  void weightGradientsAreLinearBetweenTheirStepsAndConstantOutside() {
    try (SoftmaxLayer net = new SoftmaxLayer("reference", SEED);
        SoftmaxLayer other = new SoftmaxLayer("reference", SEED + 1);
        BilinearTerm term = new BilinearTerm(net.backend, List.of(net.layer))) {
      List<List<BilinearTerm.Weight>> weights = List.of(weights(net), weights(other));
      term.addMean(4, weights.get(0));
      term.addMean(8, weights.get(1));
      Tensor d = net.random(1, 1, P);
      Tensor early = product(net, term, 4, d);
      Tensor late = product(net, term, 8, d);
      assertEquals(0, net.distance(product(net, term, 0, d), early));
      assertEquals(0, net.distance(product(net, term, 100, d), late));
      Tensor mixed = net.zeros(1, P);
      net.backend.vectors().axpy(0.75, early, mixed);
      net.backend.vectors().axpy(0.25, late, mixed);
      assertTrue(net.distance(product(net, term, 5, d), mixed) < 1e-14);
      term.addOwn(5, weights.get(1));
      assertEquals(0, net.distance(product(net, term, 5, d), late));
      assertThrows(ArgumentException.class, () -> term.addMean(8, weights.get(1)));
      assertThrows(ArgumentException.class, () -> term.addMean(9, List.of()));
    }
  }

  private static List<BilinearTerm.Weight> weights(SoftmaxLayer net) {
    try (WeightGradients gradients = new WeightGradients(net.backend, List.of(net.layer), SoftmaxLayer.TOKENS)) {
      net.at.forEachAdapter(gradients.adder(0.25));
      return gradients.lowRank(16);
    }
  }

  private static Tensor product(SoftmaxLayer net, ReplayOperator operator, int step, Tensor d) {
    Tensor out = net.zeros(d.dim(0), P);
    operator.addProduct(step, d, 1, out);
    return out;
  }

  private static SketchedGgn sketch(SoftmaxLayer net, DType type) {
    return new SketchedGgn(net.backend, List.of(part(net, type)));
  }

  private static SketchedGgn.Part part(SoftmaxLayer net, DType type) {
    Shape shape = Shape.of(9, P);
    Tensor rows =
        type == DType.BF16
            ? Tensor.view(
                Arena.ofAuto().allocate(2 * shape.elements(), 64),
                type,
                shape)
            : net.zeros(9, P);
    for (int i = 0; i < shape.elements(); i++) {
      rows.set(i, Math.sin(1 + 3 * i));
    }
    return new SketchedGgn.Part(rows, 0.25);
  }

  private static Tensor unit(SoftmaxLayer net) {
    double[] ones = new double[(int) (P * P)];
    for (int i = 0; i < P; i++) {
      ones[(int) (i * P + i)] = 1;
    }
    Tensor unit = net.zeros(P, P);
    net.backend.upload(Tensor.of(Shape.of(P, P), ones), unit);
    return unit;
  }
}
