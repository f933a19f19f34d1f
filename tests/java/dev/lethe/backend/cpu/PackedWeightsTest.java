package dev.lethe.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.cpu.gemm.Bf16Products;
import dev.lethe.backend.cpu.primitive.Primitives;
import dev.lethe.backend.kernel.LoraKernels;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.backend.kernel.LossKernels;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.RandomBlocks;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A weight that stays packed in blocks gives the bytes of its expanded floats, in both directions. */
final class PackedWeightsTest {
  private static final int ROWS = 130;

  /** Rows for which a panel's rows are copied at one look. */
  private static final int FEW_ROWS = 5;

  @TempDir Path folder;

  @ParameterizedTest
  @EnumSource(names = {"Q8_0", "Q4_0", "Q4_K", "Q6_K", "NF4", "NF4_F16", "NF4_BF16"})
  void giveTheBytesOfTheExpandedWeights(DType format) {
    same(format, Primitives.best(), new BackendOptions(1), new BackendOptions(3));
  }

  @Test
  void giveThemInPlainJava() {
    same(DType.Q4_0, Primitives.scalar("scalar", null), new BackendOptions(2));
  }

  @Test
  void giveThemInBfloat16Too() {
    Assumptions.assumeTrue(Bf16Products.found().products() != null, "no bfloat16 products here");
    same(DType.Q4_K, Primitives.best(), new BackendOptions(2, DType.BF16, -1));
    same(DType.NF4, Primitives.best(), new BackendOptions(2, DType.BF16, -1));
  }

  /** What is packed is looked at on the way, wherever the number lies. */
  @ParameterizedTest
  @EnumSource(names = {"F64", "F32", "F16", "BF16"})
  void showsWhetherAllNumbersAreFinite(DType format) {
    for (Primitives primitives : List.of(Primitives.best(), Primitives.scalar("scalar", null))) {
      try (Backend backend = new CpuBackend(primitives, new BackendOptions(2));
          Scope scope = backend.openScope("numbers")) {
        Tensor weight = scope.allocate(format, Shape.of(70, 300));
        weight.copyFrom(Tensor.of(Shape.of(70, 300), new double[70 * 300]));
        assertTrue(backend.freezeLinear(weight, null, true, scope).seenFinite(), format + " of zeros");
        for (int at : new int[] {0, 9_999, 20_999}) {
          weight.set(at, Double.NEGATIVE_INFINITY);
          assertFalse(backend.freezeLinear(weight, null, true, scope).seenFinite(), format + " at " + at);
          weight.set(at, 0);
        }
      }
    }
  }

  /** A bfloat16 weight that is left in its file, at any byte of it, against the same converted before. */
  @Test
  void areTheSameWhereTheyAreLeft() throws IOException {
    left(Primitives.best(), new BackendOptions(1), new BackendOptions(3));
    left(Primitives.scalar("scalar", null), new BackendOptions(2));
  }

  private void left(Primitives primitives, BackendOptions... options) throws IOException {
    for (int rows : new int[] {FEW_ROWS, ROWS}) {
      for (int[] size : new int[][] {{45, 67}, {70, 1795}, {1700, 257}}) {
        List<double[]> expected = ofBfloat16(false, rows, size, primitives, options[0]);
        for (BackendOptions each : options) {
          assertSame(expected, ofBfloat16(true, rows, size, primitives, each), rows, size, each);
        }
      }
    }
  }

  private static void assertSame(
      List<double[]> expected, List<double[]> got, int rows, int[] size, BackendOptions options) {
    for (int i = 0; i < expected.size(); i++) {
      String what = "%d x %d, %d rows, result %d, %s".formatted(size[0], size[1], rows, i, options);
      assertArrayEquals(expected.get(i), got.get(i), 0, what);
    }
  }

  private List<double[]> ofBfloat16(boolean left, int rows, int[] size, Primitives primitives, BackendOptions options)
      throws IOException {
    try (Backend backend = new CpuBackend(primitives, options);
        Scope scope = backend.openScope("bfloat16 weights");
        Arena file = Arena.ofShared()) {
      Random random = new Random(13);
      Shape shape = Shape.of(size[0], size[1]);
      Tensor weight = Tensor.view(mapped(shape, random, file), DType.BF16, shape);
      assertTrue(backend.sawFinite(weight));
      Work work = new Work(backend, scope, new SplittableRandom(17), rows, size[0], size[1]);
      Tensor bias = work.input(size[0]);
      long before = backend.memoryUse().liveBytes();
      FrozenLinear frozen =
          left
              ? backend.leaveLinear(weight, bias, true, scope)
              : backend.freezeLinear(weight, bias, true, scope);
      long taken = backend.memoryUse().liveBytes() - before;
      assertTrue(taken < weight.byteSize() == left, taken + " bytes");
      List<Tensor> results = new ArrayList<>(work.layer(frozen));
      results.addAll(work.head(frozen));
      return results.stream().map(Tensor::toDoubles).toList();
    }
  }

  /** Random numbers of bfloat16 from the first byte of a file on. */
  private MemorySegment mapped(Shape shape, Random random, Arena arena) throws IOException {
    try (FileChannel file =
        FileChannel.open(
            folder.resolve("weight"), StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      MemorySegment numbers =
          file.map(FileChannel.MapMode.READ_WRITE, 0, 2 * shape.elements() + 1, arena).asSlice(1);
      Tensor weight = Tensor.view(numbers, DType.BF16, shape);
      for (long i = 0; i < shape.elements(); i++) {
        weight.set(i, .05 * random.nextGaussian());
      }
      return numbers;
    }
  }

  /** What a frozen weight keeps is its blocks, whether it is multiplied in one direction or both. */
  @Test
  void takeNoMoreThanTheirBlocks() {
    Tensor blocks = RandomBlocks.of(DType.Q4_0, Shape.of(512, 1024), .1, new Random(1));
    try (Backend backend = new CpuBackend(Primitives.best(), new BackendOptions(2));
        Scope scope = backend.openScope("weights")) {
      FrozenLinear weight = backend.freezeLinear(blocks, null, true, scope);
      long kept = backend.memoryUse().liveBytes();
      assertTrue(kept <= blocks.byteSize() * 9 / 8, kept + " bytes for " + blocks.byteSize());
      Tensor x = scope.allocate(DType.F32, 64, 1024);
      Tensor z = scope.allocate(DType.F32, 64, 512);
      backend.run(new LossKernels.Logits(weight, x, z));
      long scratch = ((CpuBackend) backend).scratchBytes();
      assertTrue(scratch < 2 << 20, scratch + " bytes of scratch memory");
    }
  }

  /** Packed, with each of these options, as expanded with the first. */
  private static void same(DType format, Primitives primitives, BackendOptions... options) {
    for (int[] size : new int[][] {{45, 256}, {70, 1792}, {1700, 256}}) {
      List<double[]> expected = results(format, false, size, primitives, options[0]);
      for (BackendOptions each : options) {
        assertSame(expected, results(format, true, size, primitives, each), ROWS, size, each);
      }
    }
  }

  private static List<double[]> results(
      DType format, boolean packed, int[] size, Primitives primitives, BackendOptions options) {
    try (Backend backend = new CpuBackend(primitives, options);
        Scope scope = backend.openScope("packed weights")) {
      Random random = new Random(13);
      Tensor weight = RandomBlocks.of(format, Shape.of(size[0], size[1]), .05, random);
      if (!packed) {
        Tensor floats = scope.allocate(DType.F32, weight.shape());
        floats.copyFrom(weight);
        weight = floats;
      }
      Work work = new Work(backend, scope, new SplittableRandom(17), ROWS, size[0], size[1]);
      FrozenLinear frozen = backend.freezeLinear(weight, work.input(size[0]), true, scope);
      List<Tensor> results = new ArrayList<>(work.layer(frozen));
      results.addAll(work.head(frozen));
      return results.stream().map(Tensor::toDoubles).toList();
    }
  }

  /** Calls with a weight (out,in). */
  private record Work(Backend backend, Scope scope, SplittableRandom random, int rows, int out, int in) {
    List<Tensor> layer(FrozenLinear weight) {
      LoraSlot slot = new LoraSlot(in, out, 5, .5, 0, 5L * in);
      LoraLinear layer = new LoraLinear(weight, slot);
      Tensor theta = input(slot.parameters());
      Tensor v = input(2, slot.parameters());
      Tensor x = input(rows, in);
      Tensor u = output(rows, 5);
      Tensor y = output(rows, out);
      backend.run(new LoraKernels.Forward(layer, theta, x, x, u, y));
      Tensor dx = input(2, rows, in);
      Tensor du = output(2, rows, 5);
      Tensor dy = output(2, rows, out);
      backend.run(
          new LoraKernels.Tangent(
              layer, theta, v, x, u, new LoraKernels.InputTangent(dx, null), du, dy));
      Tensor gy = input(1, rows, out);
      Tensor h = output(1, rows, 5);
      Tensor gx = input(1, rows, in);
      backend.run(
          new LoraKernels.Backward(
              layer, theta, gy, h, new LoraKernels.InputAdjoint(gx, null, true)));
      return List.of(u, y, du, dy, h, gx);
    }

    List<Tensor> head(FrozenLinear weight) {
      Tensor x = input(rows, in);
      Tensor targets = scope.allocate(DType.I32, rows);
      targets.copyFrom(Tensor.of(Shape.of(rows), random.ints(rows, 0, out).toArray()));
      Tensor weights = scope.allocate(DType.F32, rows);
      weights.copyFrom(Tensor.of(Shape.of(rows), random.doubles(rows).toArray()));
      Tensor losses = output(rows);
      Tensor p = output(rows, out);
      Tensor gx = output(rows, in);
      backend.run(new LossKernels.Forward(weight, x, targets, weights, losses, p, gx));
      Tensor dx = input(2, rows, in);
      Tensor dLoss = output(2, rows);
      Tensor dgx = output(2, rows, in);
      backend.run(new LossKernels.Tangent(weight, p, targets, dx, dLoss));
      backend.run(new LossKernels.BackwardTangent(weight, p, weights, dx, dgx));
      Tensor labels = scope.allocate(DType.I32, 2, rows);
      Tensor drawn = output(2, rows, in);
      backend.run(new LossKernels.Drawn(weight, p, targets, weights, gx, 3, labels, drawn));
      return List.of(losses, p, gx, dLoss, dgx, drawn);
    }

    Tensor input(long... dims) {
      Tensor tensor = scope.allocate(DType.F32, dims);
      double[] numbers = new double[Math.toIntExact(tensor.elements())];
      Arrays.setAll(numbers, i -> random.nextGaussian());
      tensor.copyFrom(Tensor.of(tensor.shape(), numbers));
      return tensor;
    }

    Tensor output(long... dims) {
      return scope.allocate(DType.F32, dims);
    }
  }
}
