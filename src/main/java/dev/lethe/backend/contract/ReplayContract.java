package dev.lethe.backend.contract;

import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.Expect;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.backend.contract.harness.KernelCase;
import dev.lethe.backend.contract.harness.KernelCase.Side;
import dev.lethe.backend.contract.harness.KernelCase.Slot;
import dev.lethe.backend.kernel.ReplayKernels;
import dev.lethe.backend.kernel.ReplayKernels.AdamWState;
import dev.lethe.backend.kernel.ReplayKernels.Sgd;
import dev.lethe.backend.kernel.ReplayKernels.SgdState;
import dev.lethe.backend.kernel.ReplayKernels.Step;
import dev.lethe.backend.kernel.VectorKernels.AdamW;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.stream.Stream;

/** {@link ReplayKernels}: steps of a recorded run and of others beside it. */
final class ReplayContract {
  private static final int[] LENGTHS = {1, 2, 5, 17, 33, 100, 4099, 20_001};
  private static final AdamW ADAMW = new AdamW(0.9, 0.999, 1e-8, 0.05);
  private static final Sgd SGD = new Sgd(0.9, 0.02);
  private static final Sgd PLAIN = new Sgd(0, 0);

  private ReplayContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    Stream.Builder<ContractCase> cases = Stream.builder();
    for (int n : LENGTHS) {
      for (DType type : new DType[] {DType.BF16, bench.tested().vectorType()}) {
        for (int k : new int[] {0, 1, 3, 9}) {
          Sizes s = new Sizes(n, k, type);
          cases.add(bench.of("replay.adamW " + s, c -> adamW(c, s)));
          cases.add(bench.of("replay.sgd " + s, c -> sgd(c, s, SGD)));
          cases.add(bench.of("replay.sgd plain " + s, c -> sgd(c, s, PLAIN)));
          cases.add(bench.of("replay.squaredNorms " + s, c -> squaredNorms(c, s)));
        }
        Sizes s = new Sizes(n, 2, type);
        cases.add(bench.of("replay.adamW without a change " + s, c -> unchangedAdamW(c, s)));
        cases.add(bench.of("replay.sgd without a change " + s, c -> unchangedSgd(c, s)));
      }
    }
    return cases.build();
  }

  private static void adamW(KernelCase c, Sizes s) {
    Slot theta = c.vectorInOut("theta", s.n);
    Slot m = c.vectorInOut("m", s.n);
    Slot v = c.vectorOutput("v", s.n);
    Slot thetas = c.vectorInOut("thetas", s.k, s.n);
    Slot ms = c.vectorInOut("ms", s.k, s.n);
    Slot vs = c.vectorOutput("vs", s.k, s.n);
    Slot square = squares(c, "v to start from", s.n);
    Slot squares = squares(c, "vs to start from", s.k, s.n);
    Inputs in = Inputs.of(c, s);
    Slot difference = c.vectorOutput("difference", s.k, s.n);
    c.run(
        on -> {
          on.backend().vectors().copy(on.of(square), on.of(v));
          on.backend().vectors().copy(on.of(squares), on.of(vs));
          AdamWState recorded = new AdamWState(on.of(theta), on.of(m), on.of(v));
          AdamWState runs = new AdamWState(on.of(thetas), on.of(ms), on.of(vs));
          for (int number = 1; number <= 3; number++) {
            Step step = in.step(on, number);
            try (ReplayByVectors byVectors = ReplayByVectors.copyOf(on, recorded, runs)) {
              byVectors.adamW(ADAMW, step);
              on.backend()
                  .run(new ReplayKernels.StepAdamW(ADAMW, step, recorded, runs, on.of(difference)));
              byVectors.assertSame(recorded, runs, on.of(difference));
            }
          }
        });
  }

  private static void sgd(KernelCase c, Sizes s, Sgd options) {
    Slot theta = c.vectorInOut("theta", s.n);
    Slot buffer = c.vectorInOut("buffer", s.n);
    Slot thetas = c.vectorInOut("thetas", s.k, s.n);
    Slot buffers = c.vectorInOut("buffers", s.k, s.n);
    Inputs in = Inputs.of(c, s);
    Slot difference = c.vectorOutput("difference", s.k, s.n);
    c.run(
        on -> {
          SgdState recorded = new SgdState(on.of(theta), on.of(buffer));
          SgdState runs = new SgdState(on.of(thetas), on.of(buffers));
          for (int number = 1; number <= 3; number++) {
            Step step = in.step(on, number);
            try (ReplayByVectors byVectors = ReplayByVectors.copyOf(on, recorded, runs)) {
              byVectors.sgd(options, step);
              on.backend()
                  .run(new ReplayKernels.StepSgd(options, step, recorded, runs, on.of(difference)));
              byVectors.assertSame(recorded, runs, on.of(difference));
            }
          }
        });
  }

  private static void squaredNorms(KernelCase c, Sizes s) {
    Inputs in = Inputs.of(c, s);
    Slot none = c.vectorOf("no change", Tensor.of(Shape.of(s.k, s.n), new double[s.k * s.n]));
    double[][] norms = new double[2][];
    c.run(
        on -> {
          double[] all = new double[1 + s.k];
          on.backend().run(new ReplayKernels.SquaredNorms(on.of(in.g), on.of(in.change), all));
          norms[on.testedSide() ? 0 : 1] = all;
          double[] same = new double[1 + s.k];
          on.backend().run(new ReplayKernels.SquaredNorms(on.of(in.g), on.of(none), same));
          for (double norm : same) {
            Expect.equal(all[0], norm, "without a change");
          }
          if (s.type != DType.BF16) {
            double dot = on.backend().vectors().dot(on.of(in.g), on.of(in.g));
            Expect.equal(dot, all[0], "the dot of the vector kernels");
          }
        });
    for (int j = 0; j <= s.k; j++) {
      Expect.close(norms[1][j], norms[0][j], 1e-6 * norms[1][j], "norm " + j);
    }
  }

  /** Zeros of either sign in gradient and change; the runs start as the recorded one. */
  private static void unchangedAdamW(KernelCase c, Sizes s) {
    Slot start = c.vectorOf("start", zerosAmong(c, s.n));
    Slot theta = c.vectorOutput("theta", s.n);
    Slot thetas = c.vectorOutput("thetas", s.k, s.n);
    Slot[] moments = {c.vectorOutput("m", s.n), c.vectorOutput("v", s.n)};
    Slot[] others = {c.vectorOutput("ms", s.k, s.n), c.vectorOutput("vs", s.k, s.n)};
    Inputs in = Inputs.unchanged(c, s);
    Slot difference = c.vectorOutput("difference", s.k, s.n);
    c.run(
        on -> {
          fill(on, on.of(start), on.of(theta), on.of(thetas), 0, moments, others);
          AdamWState recorded = new AdamWState(on.of(theta), on.of(moments[0]), on.of(moments[1]));
          AdamWState runs = new AdamWState(on.of(thetas), on.of(others[0]), on.of(others[1]));
          for (int number = 1; number <= 3; number++) {
            Step step = in.same(on, number);
            on.backend()
                .run(new ReplayKernels.StepAdamW(ADAMW, step, recorded, runs, on.of(difference)));
          }
          assertRuns(on, recorded.theta(), runs.theta());
          assertRuns(on, recorded.m(), runs.m());
          assertRuns(on, recorded.v(), runs.v());
          Expect.same(new double[s.k * s.n], on.numbers(on.of(difference)), "difference");
        });
  }

  /** A buffer below zero times no momentum is -0, so that the sign of a zero gradient shows. */
  private static void unchangedSgd(KernelCase c, Sizes s) {
    Slot start = c.vectorOf("start", zerosAmong(c, s.n));
    Slot theta = c.vectorOutput("theta", s.n);
    Slot thetas = c.vectorOutput("thetas", s.k, s.n);
    Slot[] buffer = {c.vectorOutput("buffer", s.n)};
    Slot[] buffers = {c.vectorOutput("buffers", s.k, s.n)};
    Inputs in = Inputs.unchanged(c, s);
    Slot difference = c.vectorOutput("difference", s.k, s.n);
    c.run(
        on -> {
          fill(on, on.of(start), on.of(theta), on.of(thetas), -1, buffer, buffers);
          SgdState recorded = new SgdState(on.of(theta), on.of(buffer[0]));
          SgdState runs = new SgdState(on.of(thetas), on.of(buffers[0]));
          for (int number = 1; number <= 3; number++) {
            Step step = in.same(on, number);
            on.backend()
                .run(new ReplayKernels.StepSgd(PLAIN, step, recorded, runs, on.of(difference)));
          }
          assertRuns(on, recorded.theta(), runs.theta());
          assertRuns(on, recorded.buffer(), runs.buffer());
          Expect.same(new double[s.k * s.n], on.numbers(on.of(difference)), "difference");
        });
  }

  private static void fill(
      Side on,
      Tensor start,
      Tensor theta,
      Tensor thetas,
      double moment,
      Slot[] moments,
      Slot[] others) {
    on.backend().vectors().copy(start, theta);
    for (int j = 0; j < thetas.dim(0); j++) {
      on.backend().vectors().copy(start, thetas.row(j));
    }
    for (int i = 0; i < moments.length; i++) {
      on.backend().vectors().fill(on.of(moments[i]), moment);
      on.backend().vectors().fill(on.of(others[i]), moment);
    }
  }

  private static void assertRuns(Side on, Tensor recorded, Tensor runs) {
    for (int j = 0; j < runs.dim(0); j++) {
      Expect.same(on.numbers(recorded), on.numbers(runs.row(j)), "run " + j);
    }
  }

  private static Slot squares(KernelCase c, String name, long... dims) {
    double[] squares = new double[Math.toIntExact(Shape.of(dims).elements())];
    Arrays.setAll(squares, i -> Math.abs(c.random().nextGaussian()));
    return c.vectorOf(name, Tensor.of(Shape.of(dims), squares));
  }

  /** Normal deviates, and zeros of both signs. */
  private static Tensor zerosAmong(KernelCase c, long... dims) {
    double[] values = new double[Math.toIntExact(Shape.of(dims).elements())];
    double[] zeros = {0.0, -0.0};
    Arrays.setAll(
        values, i -> i % 3 == 2 ? c.random().nextGaussian() : zeros[c.random().nextInt(2)]);
    return Tensor.of(Shape.of(dims), values);
  }

  /** A recorded gradient and changes of it. */
  private record Inputs(Slot g, Slot change, double[] clips) {
    static Inputs of(KernelCase c, Sizes s) {
      double[] clips = c.random().doubles(s.k, 0.1, 1).toArray();
      return new Inputs(c.input(s.type, "g", s.n), c.vector("change", s.k, s.n), clips);
    }

    static Inputs unchanged(KernelCase c, Sizes s) {
      Tensor zeros = zerosAmong(c, s.k, s.n);
      for (long i = 0; i < zeros.elements(); i++) {
        zeros.set(i, zeros.get(i) == 0 ? zeros.get(i) : 0);
      }
      Slot g = c.input(s.type, "g", zerosAmong(c, s.n));
      return new Inputs(g, c.vectorOf("change", zeros), new double[s.k]);
    }

    /** Every third run takes no step in every second one. */
    Step step(Side on, int number) {
      long[] numbers = new long[clips.length];
      Arrays.setAll(numbers, j -> j % 3 == 2 ? number / 2 * (number % 2) : number);
      return new Step(0.01 / number, on.of(g), 0.8, number, on.of(change), clips, numbers);
    }

    Step same(Side on, int number) {
      double[] equal = new double[clips.length];
      Arrays.fill(equal, 0.3);
      long[] numbers = new long[clips.length];
      Arrays.fill(numbers, number);
      return new Step(0.01, on.of(g), 0.3, number, on.of(change), equal, numbers);
    }
  }

  /** P parameters and k runs. */
  private record Sizes(int n, int k, DType type) {}
}
