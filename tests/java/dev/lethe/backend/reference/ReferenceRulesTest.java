package dev.lethe.backend.reference;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.DropoutKernels;
import dev.lethe.backend.kernel.RopeKernels;
import dev.lethe.backend.kernel.RowKernels;
import dev.lethe.backend.kernel.operand.AttentionShape;
import dev.lethe.backend.kernel.operand.Nonlinearity;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.backend.kernel.operand.RopeTable;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.Random;
import java.util.function.BiConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Each operation's four rules against each other: tangents against central differences, backward
 * against the adjoint identity, backward tangents against central differences and the symmetry of
 * second derivatives.
 */
final class ReferenceRulesTest {
  private static final Backend BACKEND = new ReferenceBackend();

  private static final long SEED = 20_260_722;

  @ParameterizedTest
  @CsvSource({"1,1", "1,7", "3,5", "2,17"})
  void rmsNorm(int n, int d) {
    RulesCheck.check(new NormRules(n, d, false), SEED);
    RulesCheck.check(new NormRules(n, d, true), SEED);
  }

  @ParameterizedTest
  @CsvSource({"1,1", "3,5", "2,17"})
  void gatedUnit(int n, int f) {
    for (Nonlinearity nonlinearity : Nonlinearity.values()) {
      RulesCheck.check(new GatedUnitRules(nonlinearity, true, n, f), SEED);
      RulesCheck.check(new GatedUnitRules(nonlinearity, false, n, f), SEED);
    }
  }

  @ParameterizedTest
  @CsvSource({"1,3,2", "5,4,7", "3,7,13", "67,2,3"})
  void loss(int m, int d, int v) {
    RulesCheck.check(new LossRules(m, d, v), SEED);
  }

  @ParameterizedTest
  @CsvSource({"1,1,1,1", "3,5,7,2", "7,4,3,3"})
  void lora(int n, int in, int out, int rank) {
    RulesCheck.check(new LoraRules(n, in, out, rank, false), SEED);
    RulesCheck.check(new LoraRules(n, in, out, rank, true), SEED);
  }

  @ParameterizedTest
  @CsvSource({"1,1,2,0", "2,1,4,0", "4,2,3,0", "2,2,4,3", "2,1,4,1"})
  void attention(int heads, int keyHeads, int headSize, int window) {
    AttentionShape shape = new AttentionShape(heads, keyHeads, headSize, window);
    RulesCheck.check(new AttentionRules(shape, Packing.ofLengths(1)), SEED);
    RulesCheck.check(new AttentionRules(shape, Packing.ofLengths(5, 1, 0, 7)), SEED);
  }

  @ParameterizedTest
  @CsvSource({"1,6", "3,6", "2,9"})
  void rope(int heads, long headSize) {
    RopeTable table = ropeTable(9, 3, headSize);
    BiConsumer<Tensor, Tensor> rotate = (x, y) -> rotate(table, x, y, false);
    BiConsumer<Tensor, Tensor> back = (x, y) -> rotate(table, x, y, true);
    long d = headSize * heads;
    RulesCheck.check(new LinearRules("rope", 4, d, 4, d, rotate, back), SEED);
    Tensor x = normals(4, d);
    Tensor y = Flat.zeros(4, d);
    rotate.accept(x, y);
    back.accept(y, y);
    assertArrayEquals(x.toDoubles(), y.toDoubles(), 1e-14, "rotateBack undoes rotate");
  }

  private static void rotate(RopeTable table, Tensor x, Tensor y, boolean back) {
    y.copyFrom(x);
    Tensor positions = Tensor.of(Shape.of(4), 0, 8, 3, 3);
    BACKEND.run(new RopeKernels.Rotate(table, positions, y, back));
  }

  @Test
  void rows() {
    Tensor chosen = Tensor.of(Shape.of(3), 0, 2, 5);
    RulesCheck.check(
        new LinearRules(
            "rows",
            6,
            3,
            3,
            3,
            (x, y) -> BACKEND.run(new RowKernels.Gather(chosen, x, y)),
            (gy, gx) -> BACKEND.run(new RowKernels.Scatter(chosen, gy, gx))),
        SEED);
  }

  @Test
  void dropout() {
    BiConsumer<Tensor, Tensor> drop =
        (x, y) -> BACKEND.run(new DropoutKernels.Apply(7, 0.3, keys(10), x, y, false));
    RulesCheck.check(new LinearRules("dropout", 10, 5, 10, 5, drop, drop), SEED);
  }

  @Test
  void dropoutKeepsItsShareAndItsMean() {
    Tensor ones = Flat.zeros(100, 1000);
    BACKEND.vectors().fill(ones, 1);
    Tensor y = Flat.zeros(100, 1000);
    Tensor keys = keys(100);
    BACKEND.run(new DropoutKernels.Apply(42, 0.3, keys, ones, y, false));
    int kept = 0;
    for (int i = 0; i < y.elements(); i++) {
      long rowSeed = DropoutKernels.rowSeed(42, (i / 1000 + 1) * 0x1_0000_0001L);
      boolean keeps = DropoutKernels.keeps(rowSeed, i % 1000, 0.3);
      assertEquals(keeps ? 1 / 0.7 : 0, y.get(i), 1e-15, "element " + i);
      kept += keeps ? 1 : 0;
    }
    assertEquals(0.7, kept / 1e5, 0.01, "share that is kept");
  }

  /** Keys whose halves are both the row's number from 1 on. */
  private static Tensor keys(int rows) {
    int[] halves = new int[2 * rows];
    Arrays.setAll(halves, i -> i / 2 + 1);
    return Tensor.of(Shape.of(rows, 2), halves);
  }

  private static RopeTable ropeTable(int positions, int half, long headSize) {
    Tensor cos = Flat.zeros(positions, half);
    Tensor sin = Flat.zeros(positions, half);
    for (int i = 0; i < positions * half; i++) {
      double angle = (i / half) * Math.pow(10, -(i % half));
      cos.set(i, Math.cos(angle));
      sin.set(i, Math.sin(angle));
    }
    return new RopeTable(cos, sin, headSize);
  }

  private static Tensor normals(long... dims) {
    Random random = new Random(SEED);
    Tensor x = Flat.zeros(dims);
    for (long i = 0; i < x.elements(); i++) {
      x.set(i, random.nextGaussian());
    }
    return x;
  }
}
