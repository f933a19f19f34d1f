package dev.lethe.backend.cpu.rows;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.gemm.Scratch;
import dev.lethe.backend.cpu.primitive.GatePrimitives;
import dev.lethe.backend.kernel.GatedUnitKernels;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** h = f(a)∘b over runs of {@link GatePrimitives#RUN} elements: f and its derivatives first, then the rule. */
public final class CpuGatedUnit implements GatedUnitKernels {
  private static final int RUN = GatePrimitives.RUN;

  /** Behind f, f′ and f″: the gate of units that have none, and a place for its adjoint. */
  private static final long ONES = 4L * 3 * RUN;

  private static final long UNWANTED = 4L * 4 * RUN;

  private final Cpu cpu;
  private final GatePrimitives gates;

  public CpuGatedUnit(Cpu cpu) {
    this.cpu = cpu;
    this.gates = cpu.primitives().gates();
  }

  @Override
  public void forward(Forward call) {
    Part h = new Part(Cpu.memory(call.h()), true);
    runs(
        call.p(),
        1,
        0,
        (f, b, p, at, n) -> gates.gate(f, 0, b.memory, b.at(p), h.memory, h.at(at), n));
  }

  @Override
  public void tangent(Tangent call) {
    Part da = orZeros(call.da());
    Part db = orZeros(call.db());
    Part dh = new Part(Cpu.memory(call.dh()), true);
    runs(
        call.p(),
        call.dh().dim(0),
        1,
        (f, b, p, at, n) ->
            gates.gateTangent(
                f, 0, b.memory, b.at(p), da.memory, da.at(at), db.memory, db.at(at), dh.memory,
                dh.at(at), n));
  }

  @Override
  public void backward(Backward call) {
    Part gh = new Part(Cpu.memory(call.gh()), true);
    Part ga = new Part(Cpu.memory(call.ga()), true);
    runs(
        call.p(),
        call.gh().dim(0),
        1,
        (f, b, p, at, n) -> {
          Part gb = orUnwanted(call.gb(), f);
          gates.gateBackward(
              f, 0, b.memory, b.at(p), gh.memory, gh.at(at), ga.memory, ga.at(at), gb.memory,
              gb.at(at), n);
        });
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    Part gh = new Part(Cpu.memory(call.gh()), true);
    Part da = orZeros(call.da());
    Part db = orZeros(call.db());
    Part dgh = orZeros(call.dgh());
    Part dga = new Part(Cpu.memory(call.dga()), true);
    runs(
        call.p(),
        call.dga().dim(0),
        2,
        (f, b, p, at, n) -> {
          Part dgb = orUnwanted(call.dgb(), f);
          gates.gateBackwardTangent(
              f, 0, b.memory, b.at(p), gh.memory, gh.at(p), da.memory, da.at(at), db.memory,
              db.at(at), dgh.memory, dgh.at(at), dga.memory, dga.at(at), dgb.memory, dgb.at(at), n);
        });
  }

  private Part orZeros(Tensor tensor) {
    return new Part(cpu.orZeros(tensor), tensor != null);
  }

  private static Part orUnwanted(Tensor tensor, MemorySegment scratch) {
    return tensor == null
        ? new Part(scratch.asSlice(UNWANTED), false)
        : new Part(Cpu.memory(tensor), true);
  }

  /** Covers k directions run by run, each with the derivatives up to the order of its run of the primal. */
  private void runs(Primal p, long k, int order, Run run) {
    MemorySegment a = Cpu.memory(p.a());
    MemorySegment gate = p.b() == null ? null : Cpu.memory(p.b());
    long elements = p.a().elements();
    int perDirection = Math.toIntExact(Math.ceilDiv(elements, RUN));
    cpu.pool()
        .runRanges(
            perDirection,
            (int) Math.max(1, Cpu.WORTH_SHARING / RUN / 4 / Math.max(1, k)),
            (from, to, scratch) -> {
              MemorySegment f = scratch.floats(Scratch.Slot.GATE, 5L * RUN);
              cpu.rows().fill(f, ONES, RUN, 1);
              Part b = gate == null ? new Part(f.asSlice(ONES), false) : new Part(gate, true);
              for (int i = from; i < to; i++) {
                long first = (long) i * RUN;
                int n = (int) Math.min(RUN, elements - first);
                gates.derivatives(p.f(), order, a, 4 * first, f, 0, n);
                for (long j = 0; j < k; j++) {
                  run.apply(f, b, 4 * first, 4 * (j * elements + first), n);
                }
              }
            });
  }

  /** A tensor, or what stands for all runs of one. */
  private record Part(MemorySegment memory, boolean whole) {
    /** Where a run lies whose byte offset in the tensor is this. */
    long at(long offset) {
      return whole ? offset : 0;
    }
  }

  /**
   * A run of n elements at byte offset {@code primal} of primal and {@code at} of other tensors; f, f′ and f″ of the run
   * begin {@code f}.
   */
  @FunctionalInterface
  private interface Run {
    void apply(MemorySegment f, Part b, long primal, long at, int n);
  }
}
