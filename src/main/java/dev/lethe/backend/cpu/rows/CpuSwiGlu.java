package dev.lethe.backend.cpu.rows;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.primitive.RowPrimitives;
import dev.lethe.backend.kernel.SwiGluKernels;
import java.lang.foreign.MemorySegment;

/** h = silu(a)∘b over runs of {@link Cpu#ZEROS} elements. */
public final class CpuSwiGlu implements SwiGluKernels {
  private static final int RUN = Cpu.ZEROS;

  private final Cpu cpu;
  private final RowPrimitives rows;

  public CpuSwiGlu(Cpu cpu) {
    this.cpu = cpu;
    this.rows = cpu.rows();
  }

  @Override
  public void forward(Forward call) {
    MemorySegment am = Cpu.memory(call.a());
    MemorySegment bm = Cpu.memory(call.b());
    MemorySegment hm = Cpu.memory(call.h());
    runs(1, call.a().elements(), (p, at, n) -> rows.swiGlu(am, p, bm, p, hm, at, n));
  }

  @Override
  public void tangent(Tangent call) {
    MemorySegment am = Cpu.memory(call.a());
    MemorySegment bm = Cpu.memory(call.b());
    MemorySegment dam = cpu.orZeros(call.da());
    MemorySegment dbm = cpu.orZeros(call.db());
    MemorySegment dhm = Cpu.memory(call.dh());
    runs(
        call.dh().dim(0),
        call.a().elements(),
        (p, at, n) ->
            rows.swiGluTangent(
                am,
                p,
                bm,
                p,
                dam,
                call.da() == null ? 0 : at,
                dbm,
                call.db() == null ? 0 : at,
                dhm,
                at,
                n));
  }

  @Override
  public void backward(Backward call) {
    MemorySegment am = Cpu.memory(call.a());
    MemorySegment bm = Cpu.memory(call.b());
    MemorySegment ghm = Cpu.memory(call.gh());
    MemorySegment gam = Cpu.memory(call.ga());
    MemorySegment gbm = Cpu.memory(call.gb());
    runs(
        call.gh().dim(0),
        call.a().elements(),
        (p, at, n) -> rows.swiGluBackward(am, p, bm, p, ghm, at, gam, at, gbm, at, n));
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    MemorySegment am = Cpu.memory(call.a());
    MemorySegment bm = Cpu.memory(call.b());
    MemorySegment ghm = Cpu.memory(call.gh());
    MemorySegment dam = cpu.orZeros(call.da());
    MemorySegment dbm = cpu.orZeros(call.db());
    MemorySegment dghm = cpu.orZeros(call.dgh());
    MemorySegment dgam = Cpu.memory(call.dga());
    MemorySegment dgbm = Cpu.memory(call.dgb());
    runs(
        call.dga().dim(0),
        call.a().elements(),
        (p, at, n) ->
            rows.swiGluBackwardTangent(
                am,
                bm,
                ghm,
                p,
                dam,
                call.da() == null ? 0 : at,
                dbm,
                call.db() == null ? 0 : at,
                dghm,
                call.dgh() == null ? 0 : at,
                dgam,
                dgbm,
                at,
                n));
  }

  /** Covers k times {@code elements} in runs that do not cross from one direction to the next. */
  private void runs(long k, long elements, Run run) {
    int perDirection = Math.toIntExact(Math.ceilDiv(elements, RUN));
    cpu.pool()
        .runRanges(
            Math.toIntExact(k * perDirection),
            Math.max(1, Cpu.WORTH_SHARING / RUN / 4),
            (from, to, scratch) -> {
              for (int i = from; i < to; i++) {
                long first = (long) (i % perDirection) * RUN;
                int n = (int) Math.min(RUN, elements - first);
                run.apply(4 * first, 4 * (i / perDirection * elements + first), n);
              }
            });
  }

  /**
   * A run of n elements at byte offset {@code primal} of primal and {@code at} of other tensors.
   */
  @FunctionalInterface
  private interface Run {
    void apply(long primal, long at, int n);
  }
}
