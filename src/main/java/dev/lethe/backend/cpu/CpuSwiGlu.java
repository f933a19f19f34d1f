package dev.lethe.backend.cpu;

import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.Require;
import dev.lethe.backend.SwiGluKernels;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** h = silu(a)∘b over runs of {@link Cpu#ZEROS} elements. */
final class CpuSwiGlu implements SwiGluKernels {
  private static final int RUN = Cpu.ZEROS;

  private final Cpu cpu;
  private final RowPrimitives rows;

  CpuSwiGlu(Cpu cpu) {
    this.cpu = cpu;
    this.rows = cpu.rows();
  }

  @Override
  public void forward(Tensor a, Tensor b, Tensor h) {
    requirePrimal("swiGlu.forward", a, b);
    Require.tensor("swiGlu.forward: h", h, F32, a.dim(0), a.dim(1));
    MemorySegment am = Cpu.memory(a);
    MemorySegment bm = Cpu.memory(b);
    MemorySegment hm = Cpu.memory(h);
    runs(1, a.elements(), (p, at, n) -> rows.swiGlu(am, p, bm, p, hm, at, n));
  }

  @Override
  public void tangent(Tensor a, Tensor b, Tensor da, Tensor db, Tensor dh) {
    requirePrimal("swiGlu.tangent", a, b);
    Require.rank("swiGlu.tangent: dh", dh, 3);
    requireEach("swiGlu.tangent: dh", dh, dh.dim(0), a);
    requireEach("swiGlu.tangent: da", da, dh.dim(0), a);
    requireEach("swiGlu.tangent: db", db, dh.dim(0), a);
    MemorySegment am = Cpu.memory(a);
    MemorySegment bm = Cpu.memory(b);
    MemorySegment dam = cpu.orZeros(da);
    MemorySegment dbm = cpu.orZeros(db);
    MemorySegment dhm = Cpu.memory(dh);
    runs(
        dh.dim(0),
        a.elements(),
        (p, at, n) ->
            rows.swiGluTangent(
                am, p, bm, p, dam, da == null ? 0 : at, dbm, db == null ? 0 : at, dhm, at, n));
  }

  @Override
  public void backward(Tensor a, Tensor b, Tensor gh, Tensor ga, Tensor gb) {
    requirePrimal("swiGlu.backward", a, b);
    Require.rank("swiGlu.backward: gh", gh, 3);
    Require.tensor("swiGlu.backward: gh", gh, F32, gh.dim(0), a.dim(0), a.dim(1));
    Require.tensor("swiGlu.backward: ga", ga, F32, gh.shape().toArray());
    Require.tensor("swiGlu.backward: gb", gb, F32, gh.shape().toArray());
    MemorySegment am = Cpu.memory(a);
    MemorySegment bm = Cpu.memory(b);
    MemorySegment ghm = Cpu.memory(gh);
    MemorySegment gam = Cpu.memory(ga);
    MemorySegment gbm = Cpu.memory(gb);
    runs(
        gh.dim(0),
        a.elements(),
        (p, at, n) -> rows.swiGluBackward(am, p, bm, p, ghm, at, gam, at, gbm, at, n));
  }

  @Override
  public void backwardTangent(
      Tensor a, Tensor b, Tensor gh, Tensor da, Tensor db, Tensor dgh, Tensor dga, Tensor dgb) {
    requirePrimal("swiGlu.backwardTangent", a, b);
    Require.tensor("swiGlu.backwardTangent: gh", gh, F32, a.dim(0), a.dim(1));
    Require.rank("swiGlu.backwardTangent: dga", dga, 3);
    requireEach("swiGlu.backwardTangent: dga", dga, dga.dim(0), a);
    Require.tensor("swiGlu.backwardTangent: dgb", dgb, F32, dga.shape().toArray());
    requireEach("swiGlu.backwardTangent: da", da, dga.dim(0), a);
    requireEach("swiGlu.backwardTangent: db", db, dga.dim(0), a);
    requireEach("swiGlu.backwardTangent: dgh", dgh, dga.dim(0), a);
    MemorySegment am = Cpu.memory(a);
    MemorySegment bm = Cpu.memory(b);
    MemorySegment ghm = Cpu.memory(gh);
    MemorySegment dam = cpu.orZeros(da);
    MemorySegment dbm = cpu.orZeros(db);
    MemorySegment dghm = cpu.orZeros(dgh);
    MemorySegment dgam = Cpu.memory(dga);
    MemorySegment dgbm = Cpu.memory(dgb);
    runs(
        dga.dim(0),
        a.elements(),
        (p, at, n) ->
            rows.swiGluBackwardTangent(
                am, bm, ghm, p, dam, da == null ? 0 : at, dbm, db == null ? 0 : at, dghm,
                dgh == null ? 0 : at, dgam, dgbm, at, n));
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

  private static void requirePrimal(String operation, Tensor a, Tensor b) {
    Require.rank(operation + ": a", a, 2);
    Require.tensor(operation + ": a", a, F32, a.dim(0), a.dim(1));
    Require.tensor(operation + ": b", b, F32, a.dim(0), a.dim(1));
  }

  private static void requireEach(String what, Tensor tensor, long k, Tensor a) {
    Require.tensorOrNull(what, tensor, F32, k, a.dim(0), a.dim(1));
  }

  /**
   * A run of n elements at byte offset {@code primal} of primal and {@code at} of other tensors.
   */
  @FunctionalInterface
  private interface Run {
    void apply(long primal, long at, int n);
  }
}
