package dev.lethe.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.cpu.primitive.Primitives;
import dev.lethe.backend.kernel.AttentionKernels;
import dev.lethe.backend.kernel.LoraGradientKernels;
import dev.lethe.backend.kernel.LoraKernels;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.backend.kernel.LossKernels;
import dev.lethe.backend.kernel.ReplayKernels;
import dev.lethe.backend.kernel.SketchKernels;
import dev.lethe.backend.kernel.VectorKernels;
import dev.lethe.backend.kernel.operand.AttentionShape;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/** Neither the number of threads nor the kind of primitives changes a byte of a result. */
final class SameBytesTest {
  private static final int ROWS = 150;
  private static final Packing PACKING = Packing.ofLengths(70, 1, 0, 79);

  @Test
  void attention() {
    same(Work::attention);
  }

  @Test
  void loss() {
    same(Work::loss);
  }

  @Test
  void lora() {
    same(Work::lora);
  }

  @Test
  void sketch() {
    same(Work::sketch);
  }

  @Test
  void replay() {
    same(Work::replay);
  }

  private static void same(Function<Work, List<Tensor>> computation) {
    List<double[]> expected = results(Primitives.best(), 1, computation);
    for (int threads = 2; threads <= 4; threads++) {
      List<double[]> got = results(Primitives.best(), threads, computation);
      requireEqual(expected, got, threads + " threads");
    }
    requireEqual(expected, results(Primitives.bestInJava(), 2, computation), "without native code");
    Primitives scalar = Primitives.scalar("scalar", null);
    requireEqual(expected, results(scalar, 2, computation), "scalar");
  }

  private static void requireEqual(List<double[]> expected, List<double[]> got, String what) {
    for (int i = 0; i < expected.size(); i++) {
      assertArrayEquals(expected.get(i), got.get(i), 0, what + ", result " + i);
    }
  }

  private static List<double[]> results(
      Primitives primitives, int threads, Function<Work, List<Tensor>> computation) {
    try (Backend backend = new CpuBackend(primitives, new BackendOptions(threads));
        Scope scope = backend.openScope("same bytes")) {
      return computation.apply(new Work(backend, scope, new Random(7))).stream()
          .map(Tensor::toDoubles)
          .toList();
    }
  }

  private record Work(Backend backend, Scope scope, Random random) {
    List<Tensor> attention() {
      AttentionShape shape = new AttentionShape(4, 2, 20, 0);
      Tensor q = input(ROWS, 80);
      Tensor k = input(ROWS, 40);
      Tensor v = input(ROWS, 40);
      Tensor o = output(ROWS, 80);
      Tensor lse = output(4, ROWS);
      backend.run(
          new AttentionKernels.Forward(
              shape, PACKING, PACKING, new AttentionKernels.Primal(q, k, v, o, lse)));
      AttentionKernels.Primal primal = new AttentionKernels.Primal(q, k, v, o, lse);
      Tensor dq = input(2, ROWS, 80);
      Tensor dk = input(2, ROWS, 40);
      Tensor dv = input(2, ROWS, 40);
      Tensor dO = output(2, ROWS, 80);
      Tensor mu = output(2, 4, ROWS);
      backend.run(
          new AttentionKernels.Tangent(
              shape, PACKING, primal, new AttentionKernels.Tangents(dq, dk, dv, dO, mu)));
      List<Tensor> results = new ArrayList<>(List.of(o, lse, dO, mu));
      Tensor gO = input(1, ROWS, 80);
      Tensor delta = output(1, 4, ROWS);
      Tensor[] first = {output(1, ROWS, 80), output(1, ROWS, 40), output(1, ROWS, 40)};
      backend.run(
          new AttentionKernels.Backward(
              shape,
              PACKING,
              primal,
              gO,
              delta,
              new AttentionKernels.InputAdjoints(first[0], first[1], first[2])));
      Tensor[] second = {output(2, ROWS, 80), output(2, ROWS, 40), output(2, ROWS, 40)};
      backend.run(
          new AttentionKernels.BackwardTangent(
              shape,
              PACKING,
              primal,
              gO.row(0),
              delta.row(0),
              new AttentionKernels.Tangents(dq, dk, dv, dO, mu),
              input(2, ROWS, 80),
              new AttentionKernels.InputAdjoints(second[0], second[1], second[2])));
      results.addAll(List.of(first));
      results.addAll(List.of(second));
      return results;
    }

    List<Tensor> loss() {
      FrozenLinear head = frozen(333, 40);
      Tensor x = input(ROWS, 40);
      int[] labels = random.ints(ROWS, 0, 333).toArray();
      Tensor targets = scope.allocate(DType.I32, ROWS);
      backend.upload(Tensor.of(Shape.of(ROWS), labels), targets);
      Tensor weights = input(ROWS);
      Tensor losses = output(ROWS);
      Tensor p = output(ROWS, 333);
      Tensor gx = output(ROWS, 40);
      backend.run(new LossKernels.Forward(head, x, targets, weights, losses, p, gx));
      Tensor dx = input(2, ROWS, 40);
      Tensor dLoss = output(2, ROWS);
      Tensor dgx = output(2, ROWS, 40);
      backend.run(new LossKernels.Tangent(head, p, targets, dx, dLoss));
      backend.run(new LossKernels.BackwardTangent(head, p, weights, dx, dgx));
      return List.of(losses, p, gx, dLoss, dgx);
    }

    List<Tensor> lora() {
      LoraSlot slot = new LoraSlot(72, 45, 5, .5, 3, 400);
      LoraLinear layer = new LoraLinear(frozen(45, 72), slot);
      Tensor theta = input(700);
      Tensor x = input(ROWS, 72);
      Tensor u = output(ROWS, 5);
      Tensor y = output(ROWS, 45);
      backend.run(new LoraKernels.Forward(layer, theta, x, x, u, y));
      Tensor gy = input(1, ROWS, 45);
      Tensor h = output(1, ROWS, 5);
      Tensor gx = output(1, ROWS, 72);
      backend.run(
          new LoraKernels.Backward(
              layer, theta, gy, h, new LoraKernels.InputAdjoint(gx, null, false)));
      Tensor g = input(1, 700);
      backend.run(new LoraGradientKernels.Gradient(slot, new LoraGradientKernels.Kept(x, u, h, gy), .3, g));
      Tensor weighted = input(2, 700);
      Tensor weights = input(2, PACKING.count());
      backend.run(
          new LoraGradientKernels.WeightedGradient(
              slot,
              PACKING,
              weights,
              new LoraGradientKernels.Kept(x, u, h.row(0), gy.row(0)),
              .7,
              weighted));
      Tensor dots = input(2, PACKING.count());
      backend.run(
          new LoraGradientKernels.PerSampleDot(
              slot, PACKING, input(2, 700), new LoraGradientKernels.Kept(x, u, h.row(0), gy.row(0)), dots));
      return List.of(u, y, h, gx, g, weighted, dots);
    }

    /** Rows of which some blocks fit the cache, and rows that are longer. */
    List<Tensor> sketch() {
      List<Tensor> results = new ArrayList<>();
      for (int[] size : new int[][] {{13, 9001}, {7, 140_000}}) {
        for (DType type : List.of(DType.BF16, DType.F32)) {
          Tensor rows = scope.allocate(type, size[0], size[1]);
          rows.copyFrom(input(size[0], size[1]));
          Tensor v = input(3, size[1]);
          Tensor dots = output(3, size[0]);
          Tensor out = input(3, size[1]);
          backend.run(new SketchKernels.Dots(rows, v, dots));
          backend.run(new SketchKernels.AddCombination(dots, .01, rows, out));
          backend.run(new SketchKernels.AddProduct(rows, v, -.01, out));
          results.addAll(List.of(dots, out));
        }
      }
      return results;
    }

    List<Tensor> replay() {
      int n = 20_011;
      Tensor g = scope.allocate(DType.BF16, n);
      g.copyFrom(input(n));
      ReplayKernels.Step step =
          new ReplayKernels.Step(
              .01, g, .5, 4, input(3, n), new double[] {.3, 1, .7}, new long[] {4, 0, 2});
      ReplayKernels.AdamWState one = new ReplayKernels.AdamWState(input(n), input(n), squares(n));
      ReplayKernels.AdamWState runs =
          new ReplayKernels.AdamWState(input(3, n), input(3, n), squares(3, n));
      Tensor difference = output(3, n);
      VectorKernels.AdamW options = new VectorKernels.AdamW(.9, .999, 1e-8, .1);
      backend.run(new ReplayKernels.StepAdamW(options, step, one, runs, difference));
      double[] norms = new double[4];
      backend.run(new ReplayKernels.SquaredNorms(g, step.change(), norms));
      return List.of(
          one.theta(), one.m(), one.v(), runs.theta(), runs.m(), runs.v(), difference,
          Tensor.of(Shape.of(4), norms));
    }

    private Tensor squares(long... dims) {
      Tensor squares = input(dims);
      for (long i = 0; i < squares.elements(); i++) {
        squares.set(i, squares.get(i) * squares.get(i));
      }
      return squares;
    }

    private FrozenLinear frozen(long out, long in) {
      return backend.freezeLinear(input(out, in), input(out), true, scope);
    }

    private Tensor input(long... dims) {
      Tensor tensor = scope.allocate(DType.F32, dims);
      for (long i = 0; i < tensor.elements(); i++) {
        tensor.set(i, random.nextGaussian());
      }
      return tensor;
    }

    private Tensor output(long... dims) {
      return scope.allocate(DType.F32, dims);
    }
  }
}
