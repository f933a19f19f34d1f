package dev.lethe.backend.cpu;

import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.AttentionKernels;
import dev.lethe.backend.AttentionShape;
import dev.lethe.backend.Packing;
import dev.lethe.backend.Require;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** Causal attention by tiles: checks arguments and hands them to the four modes. */
final class CpuAttention implements AttentionKernels {
  private final Cpu cpu;

  CpuAttention(Cpu cpu) {
    this.cpu = cpu;
  }

  @Override
  public void forward(
      AttentionShape shape,
      Packing queries,
      Packing keys,
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor o,
      Tensor lse) {
    requireForward(shape, queries, keys, q, k, v, o, lse);
    new AttentionForward(
            cpu,
            shape,
            queries,
            keys,
            Cpu.memory(q),
            Cpu.memory(k),
            Cpu.memory(v),
            Cpu.memory(o),
            orNull(lse))
        .run();
  }

  @Override
  public void tangent(
      AttentionShape shape,
      Packing packing,
      Primal p,
      Tensor dq,
      Tensor dk,
      Tensor dv,
      Tensor dO,
      Tensor mu) {
    long n = requirePrimal("attention.tangent", shape, packing, p);
    Require.rank("attention.tangent: dO", dO, 3);
    long directions = dO.dim(0);
    Require.tensor("attention.tangent: dO", dO, F32, directions, n, shape.queryWidth());
    Require.tensor("attention.tangent: mu", mu, F32, directions, shape.heads(), n);
    requireInputTangents("attention.tangent", shape, directions, n, dq, dk, dv);
    AttentionTangent mode =
        new AttentionTangent(
            cpu.rows(),
            Cpu.memory(p.q()),
            Cpu.memory(p.k()),
            Cpu.memory(p.v()),
            Cpu.memory(p.o()),
            Cpu.memory(p.lse()),
            orNull(dq),
            orNull(dk),
            orNull(dv),
            Cpu.memory(dO),
            Cpu.memory(mu));
    AttentionTask.forAll(cpu, shape, packing, directions, AttentionTangent.ARRAYS, mode::run);
  }

  @Override
  public void backward(
      AttentionShape shape,
      Packing packing,
      Primal p,
      Tensor gO,
      Tensor delta,
      Tensor gq,
      Tensor gk,
      Tensor gv) {
    long n = requirePrimal("attention.backward", shape, packing, p);
    Require.rank("attention.backward: gO", gO, 3);
    long directions = gO.dim(0);
    Require.tensor("attention.backward: gO", gO, F32, directions, n, shape.queryWidth());
    Require.tensor("attention.backward: delta", delta, F32, directions, shape.heads(), n);
    requireInputAdjoints("attention.backward", shape, directions, n, gq, gk, gv);
    AttentionBackward mode =
        new AttentionBackward(
            cpu.rows(),
            Cpu.memory(p.q()),
            Cpu.memory(p.k()),
            Cpu.memory(p.v()),
            Cpu.memory(p.o()),
            Cpu.memory(p.lse()),
            Cpu.memory(gO),
            Cpu.memory(delta),
            Cpu.memory(gq),
            Cpu.memory(gk),
            Cpu.memory(gv));
    AttentionTask.forAll(cpu, shape, packing, directions, AttentionBackward.ARRAYS, mode::run);
  }

  @Override
  public void backwardTangent(
      AttentionShape shape,
      Packing packing,
      Primal p,
      Tensor gO,
      Tensor delta,
      Tangent t,
      Tensor dgO,
      Tensor dgq,
      Tensor dgk,
      Tensor dgv) {
    String operation = "attention.backwardTangent";
    long n = requirePrimal(operation, shape, packing, p);
    long width = shape.queryWidth();
    Require.rank(operation + ": dgq", dgq, 3);
    long directions = dgq.dim(0);
    requireInputAdjoints(operation, shape, directions, n, dgq, dgk, dgv);
    Require.tensor(operation + ": gO", gO, F32, n, width);
    Require.tensor(operation + ": delta", delta, F32, shape.heads(), n);
    Require.tensor(operation + ": t.dO", t.dO(), F32, directions, n, width);
    Require.tensor(operation + ": t.mu", t.mu(), F32, directions, shape.heads(), n);
    requireInputTangents(operation, shape, directions, n, t.dq(), t.dk(), t.dv());
    Require.tensorOrNull(operation + ": dgO", dgO, F32, directions, n, width);
    AttentionBackwardTangent mode =
        new AttentionBackwardTangent(
            cpu.rows(),
            new AttentionBackwardTangent.Primal(
                Cpu.memory(p.q()),
                Cpu.memory(p.k()),
                Cpu.memory(p.v()),
                Cpu.memory(p.o()),
                Cpu.memory(p.lse()),
                Cpu.memory(gO),
                Cpu.memory(delta)),
            new AttentionBackwardTangent.Tangent(
                orNull(t.dq()),
                orNull(t.dk()),
                orNull(t.dv()),
                Cpu.memory(t.dO()),
                Cpu.memory(t.mu()),
                orNull(dgO)),
            Cpu.memory(dgq),
            Cpu.memory(dgk),
            Cpu.memory(dgv));
    AttentionTask.forAll(
        cpu, shape, packing, directions, AttentionBackwardTangent.ARRAYS, mode::run);
  }

  private static MemorySegment orNull(Tensor tensor) {
    return tensor == null ? null : Cpu.memory(tensor);
  }

  private static void requireForward(
      AttentionShape shape,
      Packing queries,
      Packing keys,
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor o,
      Tensor lse) {
    long n = queries.rows();
    Require.tensor("attention.forward: q", q, F32, n, shape.queryWidth());
    Require.tensor("attention.forward: o", o, F32, n, shape.queryWidth());
    Require.tensorOrNull("attention.forward: lse", lse, F32, shape.heads(), n);
    Require.rank("attention.forward: k", k, 2);
    long rowsOfK = Math.max(keys.rows(), k.dim(0));
    Require.tensor("attention.forward: k", k, F32, rowsOfK, shape.keyWidth());
    Require.rank("attention.forward: v", v, 2);
    long rowsOfV = Math.max(keys.rows(), v.dim(0));
    Require.tensor("attention.forward: v", v, F32, rowsOfV, shape.keyWidth());
    Require.that(
        keys.count() == queries.count(),
        "attention.forward: keys",
        queries.count() + " sequences",
        keys);
    for (int i = 0; i < queries.count(); i++) {
      Require.that(
          keys.length(i) >= queries.length(i),
          "attention.forward: keys of sequence " + i,
          "at least " + queries.length(i),
          keys.length(i));
    }
  }

  private static long requirePrimal(
      String operation, AttentionShape shape, Packing packing, Primal p) {
    long n = packing.rows();
    Require.tensor(operation + ": q", p.q(), F32, n, shape.queryWidth());
    Require.tensor(operation + ": k", p.k(), F32, n, shape.keyWidth());
    Require.tensor(operation + ": v", p.v(), F32, n, shape.keyWidth());
    Require.tensor(operation + ": o", p.o(), F32, n, shape.queryWidth());
    Require.tensor(operation + ": lse", p.lse(), F32, shape.heads(), n);
    return n;
  }

  private static void requireInputTangents(
      String operation, AttentionShape shape, long k, long n, Tensor dq, Tensor dk, Tensor dv) {
    Require.tensorOrNull(operation + ": dq", dq, F32, k, n, shape.queryWidth());
    Require.tensorOrNull(operation + ": dk", dk, F32, k, n, shape.keyWidth());
    Require.tensorOrNull(operation + ": dv", dv, F32, k, n, shape.keyWidth());
  }

  private static void requireInputAdjoints(
      String operation, AttentionShape shape, long k, long n, Tensor gq, Tensor gk, Tensor gv) {
    Require.tensor(operation + ": adjoint of q", gq, F32, k, n, shape.queryWidth());
    Require.tensor(operation + ": adjoint of k", gk, F32, k, n, shape.keyWidth());
    Require.tensor(operation + ": adjoint of v", gv, F32, k, n, shape.keyWidth());
  }
}
