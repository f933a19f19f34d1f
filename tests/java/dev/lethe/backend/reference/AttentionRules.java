package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.AttentionKernels;
import dev.lethe.backend.kernel.operand.AttentionShape;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.tensor.Tensor;

/** (q, k, v) ↦ o. */
record AttentionRules(AttentionShape shape, Packing packing) implements BlockRules {
  @Override
  public int[] parts() {
    return new int[] {queryElements(), keyElements(), keyElements()};
  }

  @Override
  public double[] forward(double[] x) {
    return Flat.join(primal(x).o());
  }

  @Override
  public double[] tangent(double[] x, double[] dx) {
    return Flat.second(tangent(primal(x), dx).dO());
  }

  @Override
  public double[] backward(double[] x, double[] gy) {
    Tensor gq = queryOutput();
    Tensor gk = keyOutput();
    Tensor gv = keyOutput();
    Tensor gO = Flat.pair(gy, 0, n(), shape.queryWidth());
    BACKEND.run(
        new AttentionKernels.Backward(
            shape,
            packing,
            primal(x),
            gO,
            statistics(),
            new AttentionKernels.InputAdjoints(gq, gk, gv)));
    return Flat.second(gq, gk, gv);
  }

  @Override
  public double[] backwardTangent(double[] x, double[] gy, double[] dx, double[] dgy) {
    AttentionKernels.Primal p = primal(x);
    Tensor delta = statistics();
    Tensor gO = Flat.pair(gy, 0, n(), shape.queryWidth());
    BACKEND.run(
        new AttentionKernels.Backward(
            shape,
            packing,
            p,
            gO,
            delta,
            new AttentionKernels.InputAdjoints(queryOutput(), keyOutput(), keyOutput())));
    Tensor dgq = queryOutput();
    Tensor dgk = keyOutput();
    Tensor dgv = keyOutput();
    Tensor dgO = Flat.pairOrNull(dgy, 0, n(), shape.queryWidth());
    BACKEND.run(
        new AttentionKernels.BackwardTangent(
            shape,
            packing,
            p,
            gO.row(1),
            delta.row(1),
            tangent(p, dx),
            dgO,
            new AttentionKernels.InputAdjoints(dgq, dgk, dgv)));
    return Flat.second(dgq, dgk, dgv);
  }

  private AttentionKernels.Primal primal(double[] x) {
    Tensor q = Flat.piece(x, 0, n(), shape.queryWidth());
    Tensor k = Flat.piece(x, queryElements(), n(), shape.keyWidth());
    Tensor v = Flat.piece(x, queryElements() + keyElements(), n(), shape.keyWidth());
    Tensor o = Flat.output(n(), shape.queryWidth());
    Tensor lse = Flat.output(shape.heads(), n());
    BACKEND.run(
        new AttentionKernels.Forward(
            shape, packing, packing, new AttentionKernels.Primal(q, k, v, o, lse)));
    return new AttentionKernels.Primal(q, k, v, o, lse);
  }

  private AttentionKernels.Tangents tangent(AttentionKernels.Primal p, double[] dx) {
    Tensor dq = Flat.pairOrNull(dx, 0, n(), shape.queryWidth());
    Tensor dk = Flat.pairOrNull(dx, queryElements(), n(), shape.keyWidth());
    Tensor dv = Flat.pairOrNull(dx, queryElements() + keyElements(), n(), shape.keyWidth());
    Tensor dO = queryOutput();
    Tensor mu = statistics();
    BACKEND.run(
        new AttentionKernels.Tangent(
            shape, packing, p, new AttentionKernels.Tangents(dq, dk, dv, dO, mu)));
    return new AttentionKernels.Tangents(dq, dk, dv, dO, mu);
  }

  private int n() {
    return packing.rows();
  }

  private int queryElements() {
    return Math.toIntExact(n() * shape.queryWidth());
  }

  private int keyElements() {
    return Math.toIntExact(n() * shape.keyWidth());
  }

  private Tensor queryOutput() {
    return Flat.output(2, n(), shape.queryWidth());
  }

  private Tensor keyOutput() {
    return Flat.output(2, n(), shape.keyWidth());
  }

  private Tensor statistics() {
    return Flat.output(2, shape.heads(), n());
  }
}
