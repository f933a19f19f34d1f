package dev.lethe.backend.cpu.rows;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.primitive.RowPrimitives;
import dev.lethe.backend.kernel.VectorKernels.AdamWNumbers;
import dev.lethe.backend.kernel.VectorKernels;
import java.lang.foreign.MemorySegment;

/**
 * Vector arithmetic by runs of fixed length, so that sums do not depend on the number of threads.
 */
public final class CpuVectors implements VectorKernels {
  /** Elements that a sum takes at a time. */
  static final int RUN = 8192;

  /** Elements that a thread is handed at least: waking one takes as long as this code takes for some hundred thousand. */
  private static final int WORTH_SHARING = 1 << 18;

  private final Cpu cpu;
  private final RowPrimitives rows;

  public CpuVectors(Cpu cpu) {
    this.cpu = cpu;
    this.rows = cpu.rows();
  }

  @Override
  public void fill(Fill call) {
    MemorySegment xm = Cpu.memory(call.x());
    runs(call.x().elements(), (run, at, n) -> rows.fill(xm, at, n, (float) call.value()));
  }

  @Override
  public void copy(Copy call) {
    MemorySegment xm = Cpu.memory(call.x());
    MemorySegment ym = Cpu.memory(call.y());
    runs(call.x().elements(), (run, at, n) -> rows.copy(xm, at, ym, at, n));
  }

  @Override
  public void scale(Scale call) {
    MemorySegment xm = Cpu.memory(call.x());
    runs(call.x().elements(), (run, at, n) -> rows.scale((float) call.a(), xm, at, xm, at, n));
  }

  @Override
  public void axpby(Axpby call) {
    MemorySegment xm = Cpu.memory(call.x());
    MemorySegment ym = Cpu.memory(call.y());
    runs(
        call.x().elements(),
        (run, at, n) -> rows.axpby((float) call.a(), xm, at, (float) call.b(), ym, at, n));
  }

  @Override
  public void dot(Dot call) {
    MemorySegment xm = Cpu.memory(call.x());
    MemorySegment ym = Cpu.memory(call.y());
    double[] sums = new double[count(call.x().elements())];
    runs(call.x().elements(), (run, at, n) -> sums[run] = rows.dotDouble(xm, at, ym, at, n));
    double sum = 0;
    for (double s : sums) {
      sum += s;
    }
    call.result()[0] = sum;
  }

  @Override
  public void allFinite(AllFinite call) {
    MemorySegment xm = Cpu.memory(call.x());
    boolean[] finite = new boolean[count(call.x().elements())];
    runs(call.x().elements(), (run, at, n) -> finite[run] = rows.allFinite(xm, at, n));
    boolean all = true;
    for (boolean f : finite) {
      all &= f;
    }
    call.result()[0] = all;
  }

  @Override
  public void adamW(StepAdamW call) {
    MemorySegment tm = Cpu.memory(call.theta());
    MemorySegment gm = Cpu.memory(call.g());
    MemorySegment mm = Cpu.memory(call.m());
    MemorySegment vm = Cpu.memory(call.v());
    AdamWNumbers numbers = call.options().numbers(call.learningRate(), call.step());
    runs(call.theta().elements(), (run, at, n) -> rows.adamW(numbers, tm, gm, mm, vm, at, n));
  }

  private static int count(long elements) {
    return Math.toIntExact(Math.ceilDiv(elements, RUN));
  }

  private void runs(long elements, Run run) {
    cpu.pool()
        .runRanges(
            count(elements),
            WORTH_SHARING / RUN,
            (from, to, scratch) -> {
              for (int i = from; i < to; i++) {
                long first = (long) i * RUN;
                run.apply(i, 4 * first, (int) Math.min(RUN, elements - first));
              }
            });
  }

  /** Run number {@code run}: n elements at a byte offset. */
  @FunctionalInterface
  private interface Run {
    void apply(int run, long at, int n);
  }
}
