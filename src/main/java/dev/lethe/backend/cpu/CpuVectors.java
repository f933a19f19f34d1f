package dev.lethe.backend.cpu;

import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.Require;
import dev.lethe.backend.cpu.RowPrimitives.AdamWStep;
import dev.lethe.backend.VectorKernels;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * Vector arithmetic by runs of fixed length, so that sums do not depend on the number of threads.
 */
final class CpuVectors implements VectorKernels {
  /** Elements that a sum takes at a time. */
  static final int RUN = 8192;

  private final Cpu cpu;
  private final RowPrimitives rows;

  CpuVectors(Cpu cpu) {
    this.cpu = cpu;
    this.rows = cpu.rows();
  }

  @Override
  public void fill(Tensor x, double value) {
    MemorySegment xm = vector("vectors.fill: x", x);
    runs(x.elements(), (run, at, n) -> rows.fill(xm, at, n, (float) value));
  }

  @Override
  public void copy(Tensor x, Tensor y) {
    MemorySegment xm = vector("vectors.copy: x", x);
    MemorySegment ym = alike("vectors.copy: y", x, y);
    runs(x.elements(), (run, at, n) -> rows.copy(xm, at, ym, at, n));
  }

  @Override
  public void scale(double a, Tensor x) {
    MemorySegment xm = vector("vectors.scale: x", x);
    runs(x.elements(), (run, at, n) -> rows.scale((float) a, xm, at, xm, at, n));
  }

  @Override
  public void axpby(double a, Tensor x, double b, Tensor y) {
    MemorySegment xm = vector("vectors.axpby: x", x);
    MemorySegment ym = alike("vectors.axpby: y", x, y);
    runs(x.elements(), (run, at, n) -> rows.axpby((float) a, xm, at, (float) b, ym, at, n));
  }

  @Override
  public double dot(Tensor x, Tensor y) {
    MemorySegment xm = vector("vectors.dot: x", x);
    MemorySegment ym = alike("vectors.dot: y", x, y);
    double[] sums = new double[count(x.elements())];
    runs(x.elements(), (run, at, n) -> sums[run] = rows.dotDouble(xm, at, ym, at, n));
    double sum = 0;
    for (double s : sums) {
      sum += s;
    }
    return sum;
  }

  @Override
  public boolean allFinite(Tensor x) {
    MemorySegment xm = vector("vectors.allFinite: x", x);
    boolean[] finite = new boolean[count(x.elements())];
    runs(x.elements(), (run, at, n) -> finite[run] = rows.allFinite(xm, at, n));
    for (boolean f : finite) {
      if (!f) {
        return false;
      }
    }
    return true;
  }

  @Override
  public void adamW(
      AdamW options, double learningRate, long step, Tensor theta, Tensor g, Tensor m, Tensor v) {
    Require.that(step >= 1, "vectors.adamW: step", "1 for the first", step);
    MemorySegment tm = vector("vectors.adamW: theta", theta);
    MemorySegment gm = alike("vectors.adamW: g", theta, g);
    MemorySegment mm = alike("vectors.adamW: m", theta, m);
    MemorySegment vm = alike("vectors.adamW: v", theta, v);
    AdamWStep coefficients = adamWStep(options, learningRate, step);
    runs(theta.elements(), (run, at, n) -> rows.adamW(coefficients, tm, gm, mm, vm, at, n));
  }

  /** What a step of AdamW does with every element. */
  static AdamWStep adamWStep(AdamW options, double learningRate, long step) {
    return new AdamWStep(
        (float) (1 - learningRate * options.weightDecay()),
        (float) (1 - options.beta1()),
        (float) options.beta2(),
        (float) (1 - options.beta2()),
        (float) (learningRate / (1 - Math.pow(options.beta1(), step))),
        (float) (1 / Math.sqrt(1 - Math.pow(options.beta2(), step))),
        (float) options.epsilon());
  }

  private static int count(long elements) {
    return Math.toIntExact(Math.ceilDiv(elements, RUN));
  }

  private void runs(long elements, Run run) {
    cpu.pool()
        .runRanges(
            count(elements),
            Cpu.WORTH_SHARING / RUN,
            (from, to, scratch) -> {
              for (int i = from; i < to; i++) {
                long first = (long) i * RUN;
                run.apply(i, 4 * first, (int) Math.min(RUN, elements - first));
              }
            });
  }

  private static MemorySegment vector(String what, Tensor x) {
    Require.that(x != null && x.dtype() == F32, what, "an F32 tensor", x);
    return Cpu.memory(x);
  }

  private static MemorySegment alike(String what, Tensor x, Tensor y) {
    Require.tensor(what, y, F32, x.shape().toArray());
    return Cpu.memory(y);
  }

  /** Run number {@code run}: n elements at a byte offset. */
  @FunctionalInterface
  private interface Run {
    void apply(int run, long at, int n);
  }
}
