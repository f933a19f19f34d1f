package dev.lethe.backend.reference;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.ArgumentException;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.backend.kernel.AttentionKernels;
import dev.lethe.backend.kernel.EmbeddingKernels;
import dev.lethe.backend.kernel.GatedUnitKernels;
import dev.lethe.backend.kernel.LoraKernels;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.backend.kernel.LossKernels;
import dev.lethe.backend.kernel.RmsNormKernels;
import dev.lethe.backend.kernel.RopeKernels;
import dev.lethe.backend.kernel.operand.AttentionShape;
import dev.lethe.backend.kernel.operand.Nonlinearity;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.backend.kernel.operand.RopeTable;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Forward modes against the definitions, written another way or worked out by hand. */
final class ReferenceForwardTest {
  private static final Backend BACKEND = new ReferenceBackend();

  private static final long SEED = 20_260_722;

  private final Random random = new Random(SEED);

  @ParameterizedTest
  @CsvSource({"1,1,2,0", "4,2,3,0", "6,2,4,3", "2,1,4,1", "4,4,2,5"})
  void attentionIsTheMaskedSoftmaxOfEachSequence(
      int heads, int keyHeads, int headSize, int window) {
    AttentionShape shape = new AttentionShape(heads, keyHeads, headSize, window);
    Packing packing = Packing.ofLengths(7, 1, 4);
    Tensor q = normals(12, shape.queryWidth());
    Tensor k = normals(12, shape.keyWidth());
    Tensor v = normals(12, shape.keyWidth());
    Tensor o = Flat.zeros(12, shape.queryWidth());
    Tensor lse = Flat.zeros(heads, 12);
    BACKEND.run(
        new AttentionKernels.Forward(
            shape, packing, packing, new AttentionKernels.Primal(q, k, v, o, lse)));
    for (int i = 0; i < packing.count(); i++) {
      for (int row = packing.start(i); row < packing.end(i); row++) {
        for (int head = 0; head < heads; head++) {
          checkRow(shape, packing.start(i), row, head, q, k, v, o, lse);
        }
      }
    }
  }

  /** One row of softmax(mask(cQKᵀ))V by exponentials without a shift. */
  private static void checkRow(
      AttentionShape shape,
      int start,
      int row,
      int head,
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor o,
      Tensor lse) {
    int size = shape.headSize();
    int keyHead = head * shape.keyHeads() / shape.heads();
    double sum = 0;
    double[] expected = new double[size];
    for (int key = start; key <= row; key++) {
      if (shape.window() > 0 && key <= row - shape.window()) {
        continue;
      }
      double score = 0;
      for (int i = 0; i < size; i++) {
        score += q.row(row).get(head * size + i) * k.row(key).get(keyHead * size + i);
      }
      double e = Math.exp(score / Math.sqrt(size));
      sum += e;
      for (int i = 0; i < size; i++) {
        expected[i] += e * v.row(key).get(keyHead * size + i);
      }
    }
    assertEquals(Math.log(sum), lse.row(head).get(row), 1e-12, "lse");
    for (int i = 0; i < size; i++) {
      assertEquals(expected[i] / sum, o.row(row).get(head * size + i), 1e-12, "o");
    }
  }

  @Test
  void decodingGivesTheLastRows() {
    AttentionShape shape = new AttentionShape(4, 2, 3, 4);
    Packing all = Packing.ofLengths(9);
    Tensor q = normals(9, shape.queryWidth());
    Tensor k = normals(9, shape.keyWidth());
    Tensor v = normals(9, shape.keyWidth());
    Tensor o = Flat.zeros(9, shape.queryWidth());
    BACKEND.run(
        new AttentionKernels.Forward(
            shape, all, all, new AttentionKernels.Primal(q, k, v, o, null)));
    Tensor last = Flat.zeros(2, shape.queryWidth());
    BACKEND.run(
        new AttentionKernels.Forward(
            shape,
            Packing.ofLengths(2),
            all,
            new AttentionKernels.Primal(q.slice(7, 2), k, v, last, null)));
    assertArrayEquals(o.slice(7, 2).toDoubles(), last.toDoubles());
  }

  @Test
  void embeddingCopiesRows() {
    Tensor table = normals(5, 3);
    Tensor y = Flat.output(4, 3);
    BACKEND.run(
        new EmbeddingKernels.Forward(
            new ReferenceEmbedding.Table(table), Tensor.of(Shape.of(4), 4, 0, 2, 4), y));
    double[] expected = Flat.join(table.row(4), table.row(0), table.row(2), table.row(4));
    assertArrayEquals(expected, y.toDoubles());
  }

  @Test
  void linearAddsItsBias() {
    Tensor w = Tensor.of(Shape.of(2, 3), 1.0, 2.0, 3.0, 4.0, 5.0, 6.0);
    Tensor bias = Tensor.of(Shape.of(2), 10.0, 20.0);
    Tensor y = Flat.output(1, 2);
    Tensor x = Tensor.of(Shape.of(1, 3), 1.0, -1.0, 2.0);
    LoraLinear layer = new LoraLinear(new ReferenceLinear(w, bias, false), null);
    BACKEND.run(new LoraKernels.Forward(layer, null, x, x, null, y));
    assertArrayEquals(new double[] {15, 31}, y.toDoubles());
  }

  @Test
  void normOfAKnownVector() {
    Tensor y = Flat.zeros(1, 2);
    Tensor r = Flat.zeros(1);
    Tensor w = Tensor.of(Shape.of(2), 1.0, 10.0);
    Tensor x = Tensor.of(Shape.of(1, 2), 1.0, 5.0);
    BACKEND.run(
        new RmsNormKernels.Forward(w, 3, x, null, null, y, r)); // mean of squares 13, plus 3
    assertArrayEquals(new double[] {0.25}, r.toDoubles());
    assertArrayEquals(new double[] {0.25, 12.5}, y.toDoubles());
  }

  @Test
  void lossOfKnownLogits() {
    Tensor w = Tensor.of(Shape.of(3, 1), Math.log(2), 0.0, Math.log(5));
    ReferenceLinear head = new ReferenceLinear(w, null, true);
    Tensor x = Tensor.of(Shape.of(2, 1), 1.0, 0.0);
    Tensor targets = Tensor.of(Shape.of(2), 0, 1);
    Tensor rowLoss = Flat.zeros(2);
    Tensor p = Flat.zeros(2, 3);
    BACKEND.run(new LossKernels.Forward(head, x, targets, null, rowLoss, p, null));
    assertArrayEquals(new double[] {Math.log(4), Math.log(3)}, rowLoss.toDoubles(), 1e-15);
    double third = 1.0 / 3;
    assertArrayEquals(new double[] {0.25, 0.125, 0.625, third, third, third}, p.toDoubles(), 1e-15);
  }

  @Test
  void siluOfKnownNumbers() {
    Tensor h = Flat.zeros(1, 3);
    Tensor a = Tensor.of(Shape.of(1, 3), 0.0, Math.log(3), -1000.0);
    Tensor b = Tensor.of(Shape.of(1, 3), 7.0, 2.0, 1.0);
    BACKEND.run(
        new GatedUnitKernels.Forward(
            new GatedUnitKernels.Primal(Nonlinearity.SILU, a, b), h));
    assertArrayEquals(new double[] {0, 1.5 * Math.log(3), 0}, h.toDoubles(), 1e-15);
  }

  /** As torch.nn.functional.gelu has them, in float64. */
  @Test
  void geluOfKnownNumbers() {
    assertArrayEquals(
        new double[] {
          -8.958667141456544e-12, -0.15865525393145702, 0.34573123063700656, 0.841344746068543,
          5.999999994080474
        },
        gelu(Nonlinearity.GELU),
        1e-15);
    assertArrayEquals(
        new double[] {
          -2.3314683517128287e-15, -0.15880800939172324, 0.34571400982514394, 0.8411919906082768,
          5.9999999999156035
        },
        gelu(Nonlinearity.GELU_TANH),
        1e-15);
  }

  private static double[] gelu(Nonlinearity f) {
    Tensor h = Flat.zeros(1, 5);
    Tensor a = Tensor.of(Shape.of(1, 5), -7.0, -1.0, 0.5, 1.0, 6.0);
    BACKEND.run(new GatedUnitKernels.Forward(new GatedUnitKernels.Primal(f, a, null), h));
    return h.toDoubles();
  }

  @Test
  void ropeTurnsElementWithElementPlusHalf() {
    Tensor cos = Tensor.of(Shape.of(1, 2), 0.6, 0.0);
    Tensor sin = Tensor.of(Shape.of(1, 2), 0.8, 1.0);
    Tensor x = Tensor.of(Shape.of(1, 4), 1.0, 2.0, 3.0, 4.0);
    RopeTable table = new RopeTable(cos, sin, 4);
    BACKEND.run(new RopeKernels.Rotate(table, Tensor.of(Shape.of(1), 0), x, false));
    double[] expected = {0.6 - 0.8 * 3, -4, 0.6 * 3 + 0.8, 2};
    assertArrayEquals(expected, x.toDoubles(), 1e-15);
  }

  @Test
  void ropeLeavesTheRestOfAHead() {
    RopeTable table = new RopeTable(Tensor.of(Shape.of(1, 1), 0.6), Tensor.of(Shape.of(1, 1), 0.8), 4);
    Tensor x = Tensor.of(Shape.of(1, 8), 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0);
    BACKEND.run(new RopeKernels.Rotate(table, Tensor.of(Shape.of(1), 0), x, false));
    double[] expected = {
      0.6 - 0.8 * 2, 0.6 * 2 + 0.8, 3, 4, 0.6 * 5 - 0.8 * 6, 0.6 * 6 + 0.8 * 5, 7, 8
    };
    assertArrayEquals(expected, x.toDoubles(), 1e-15);
  }

  @Test
  void mistakesAreNamed() {
    Tensor w = Flat.zeros(3);
    Tensor x = Flat.zeros(2, 3);
    Tensor r = Flat.zeros(2);
    ArgumentException wrong =
        assertThrows(
            ArgumentException.class,
            () ->
                BACKEND.run(
                    new RmsNormKernels.Forward(w, 1e-5, x, null, null, Flat.zeros(3, 2), r)));
    String message = wrong.getMessage();
    assertTrue(message.startsWith("rmsNorm.forward: y: expected F64(2,3), got F64(3,2)"), message);
    ReferenceLinear forwardOnly = new ReferenceLinear(Flat.zeros(3, 3), null, false);
    ArgumentException untransposed =
        assertThrows(
            ArgumentException.class,
            () ->
                BACKEND.run(
                    new LossKernels.Forward(
                        forwardOnly,
                        x,
                        Tensor.of(Shape.of(2), 0, 1),
                        r,
                        Flat.zeros(2),
                        null,
                        Flat.zeros(2, 3))));
    assertTrue(untransposed.getMessage().contains("transposed = true"), untransposed.getMessage());
  }

  @Test
  void isOfferedByNameOnly() {
    Backends.Explanation word =
        Backends.explain().stream()
            .filter(e -> e.name().equals("reference"))
            .findFirst()
            .orElseThrow();
    assertTrue(word.priority() < 0, "never chosen automatically");
    assertTrue(word.availability().usable());
    try (var backend = Backends.select("reference", BackendOptions.DEFAULT)) {
      assertEquals("reference", backend.name());
    }
  }

  private Tensor normals(long... dims) {
    Tensor x = Flat.zeros(dims);
    for (long i = 0; i < x.elements(); i++) {
      x.set(i, random.nextGaussian());
    }
    return x;
  }
}
