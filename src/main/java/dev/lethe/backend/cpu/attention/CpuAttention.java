package dev.lethe.backend.cpu.attention;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.kernel.AttentionKernels;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** Causal attention by tiles: hands arguments to the four modes. */
public final class CpuAttention implements AttentionKernels {
  private final Cpu cpu;

  public CpuAttention(Cpu cpu) {
    this.cpu = cpu;
  }

  @Override
  public void forward(Forward call) {
    Primal p = call.p();
    new AttentionForward(
            cpu,
            call.shape(),
            call.queries(),
            call.keys(),
            Cpu.memory(p.q()),
            Cpu.memory(p.k()),
            Cpu.memory(p.v()),
            Cpu.memory(p.o()),
            orNull(p.lse()))
        .run();
  }

  @Override
  public void tangent(Tangent call) {
    Primal p = call.p();
    Tangents t = call.t();
    AttentionTangent mode =
        new AttentionTangent(
            cpu.rows(),
            Cpu.memory(p.q()),
            Cpu.memory(p.k()),
            Cpu.memory(p.v()),
            Cpu.memory(p.o()),
            Cpu.memory(p.lse()),
            orNull(t.dq()),
            orNull(t.dk()),
            orNull(t.dv()),
            Cpu.memory(t.dO()),
            Cpu.memory(t.mu()));
    AttentionTask.forAll(
        cpu, call.shape(), call.packing(), t.dO().dim(0), AttentionTangent.ARRAYS, mode::run);
  }

  @Override
  public void backward(Backward call) {
    Primal p = call.p();
    AttentionBackward mode =
        new AttentionBackward(
            cpu.rows(),
            Cpu.memory(p.q()),
            Cpu.memory(p.k()),
            Cpu.memory(p.v()),
            Cpu.memory(p.o()),
            Cpu.memory(p.lse()),
            Cpu.memory(call.gO()),
            Cpu.memory(call.delta()),
            Cpu.memory(call.in().gq()),
            Cpu.memory(call.in().gk()),
            Cpu.memory(call.in().gv()));
    AttentionTask.forAll(
        cpu, call.shape(), call.packing(), call.gO().dim(0), AttentionBackward.ARRAYS, mode::run);
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    Primal p = call.p();
    Tangents t = call.t();
    InputAdjoints in = call.in();
    AttentionBackwardTangent mode =
        new AttentionBackwardTangent(
            cpu.rows(),
            new AttentionBackwardTangent.Primal(
                Cpu.memory(p.q()),
                Cpu.memory(p.k()),
                Cpu.memory(p.v()),
                Cpu.memory(p.o()),
                Cpu.memory(p.lse()),
                Cpu.memory(call.gO()),
                Cpu.memory(call.delta())),
            new AttentionBackwardTangent.Tangent(
                orNull(t.dq()),
                orNull(t.dk()),
                orNull(t.dv()),
                Cpu.memory(t.dO()),
                Cpu.memory(t.mu()),
                orNull(call.dgO())),
            Cpu.memory(in.gq()),
            Cpu.memory(in.gk()),
            Cpu.memory(in.gv()));
    AttentionTask.forAll(
        cpu,
        call.shape(),
        call.packing(),
        in.gq().dim(0),
        AttentionBackwardTangent.ARRAYS,
        mode::run);
  }

  private static MemorySegment orNull(Tensor tensor) {
    return tensor == null ? null : Cpu.memory(tensor);
  }
}
