package dev.lethe.autograd;

import dev.lethe.backend.AttentionKernels;
import dev.lethe.backend.Backend;
import dev.lethe.backend.DropoutKernels;
import dev.lethe.backend.LoraKernels;
import dev.lethe.backend.RmsNormKernels;
import dev.lethe.backend.RopeKernels;
import dev.lethe.backend.RowKernels;
import dev.lethe.backend.SwiGluKernels;
import dev.lethe.tensor.Tensor;

/** The tangent rule of every active operation: output tangents from input tangents and directions. */
final class TangentRules {
  private final Backend backend;
  private final Tensor theta;
  private final Tensor v;
  private final long k;
  private final Slots primal;
  private final Slots tangent;

  /**
   * @param v directions (k,P)
   */
  TangentRules(Backend backend, Tensor theta, Tensor v, Slots primal, Slots tangent) {
    this.backend = backend;
    this.theta = theta;
    this.v = v;
    this.k = v.dim(0);
    this.primal = primal;
    this.tangent = tangent;
  }

  /** The loss has no rule here: {@link Linearization} asks it for the mode that it wants. */
  void apply(Op op) {
    switch (op) {
      case Op.Embedding e -> {}
      case Op.Input i -> {}
      case Op.RmsNorm n -> rmsNorm(n);
      case Op.Linear l -> linear(l);
      case Op.Rope r -> rope(r);
      case Op.Attention a -> attention(a);
      case Op.SwiGlu s -> swiGlu(s);
      case Op.Dropout d -> dropout(d);
      case Op.SelectRows s ->
          backend.run(
              new RowKernels.Gather(s.rows(), tangent.get(s.x()), tangent.allocate(s.y(), k)));
      case Op.CrossEntropy c -> {}
    }
  }

  private void rmsNorm(Op.RmsNorm n) {
    Tensor s = primal.get(n.s());
    Tensor r = primal.single(n.r());
    Tensor dx = tangent.get(n.x());
    Tensor df = n.hasResidual() ? tangent.get(n.f()) : null;
    Tensor ds = null;
    if (dx != null && df != null) {
      ds = tangent.allocate(n.s(), k);
    } else if (n.hasResidual()) {
      tangent.share(dx == null ? n.f() : n.x(), n.s());
    }
    backend.run(
        new RmsNormKernels.Tangent(
            new RmsNormKernels.Primal(n.weight(), s, r), dx, df, ds, tangent.allocate(n.y(), k)));
  }

  private void linear(Op.Linear l) {
    Tensor dx = tangent.get(l.x());
    if (!l.layer().hasAdapter()) {
      Tensor dy = tangent.allocate(l.y(), k);
      backend.run(
          new LoraKernels.Tangent(
              l.layer(), null, null, null, null, new LoraKernels.InputTangent(dx, null), null, dy));
      return;
    }
    Tensor xa = primal.get(l.xa());
    Tensor u = primal.get(l.u());
    Tensor dxa = l.sharedInput() ? null : tangent.get(l.xa());
    Tensor du = tangent.allocate(l.u(), k);
    backend.run(
        new LoraKernels.Tangent(
            l.layer(),
            theta,
            v,
            xa,
            u,
            new LoraKernels.InputTangent(dx, dxa),
            du,
            tangent.allocate(l.y(), k)));
  }

  private void rope(Op.Rope r) {
    tangent.share(r.x(), r.y());
    Tensor y = tangent.get(r.y());
    backend.run(new RopeKernels.Rotate(r.table(), r.positions(), y, y, false));
  }

  private void attention(Op.Attention a) {
    Tensor dq = tangent.get(a.q());
    Tensor dk = tangent.get(a.k());
    Tensor dv = tangent.get(a.v());
    Tensor dO = tangent.allocate(a.o(), k);
    Tensor mu = tangent.allocate(a.lse(), k);
    backend.run(
        new AttentionKernels.Tangent(
            a.shape(),
            a.packing(),
            primal(primal, a),
            new AttentionKernels.Tangents(dq, dk, dv, dO, mu)));
  }

  private void swiGlu(Op.SwiGlu s) {
    Tensor da = tangent.get(s.a());
    Tensor db = tangent.get(s.b());
    Tensor dh = tangent.allocate(s.h(), k);
    backend.run(new SwiGluKernels.Tangent(primal.get(s.a()), primal.get(s.b()), da, db, dh));
  }

  private void dropout(Op.Dropout d) {
    Tensor dx = tangent.get(d.x());
    Tensor dy = tangent.allocate(d.y(), k);
    backend.run(new DropoutKernels.Apply(d.seed(), d.probability(), d.keys(), dx, dy, false));
  }

  /** What the later modes of attention read of the forward. */
  static AttentionKernels.Primal primal(Slots slots, Op.Attention a) {
    return new AttentionKernels.Primal(
        slots.get(a.q()), slots.get(a.k()), slots.get(a.v()), slots.get(a.o()), slots.get(a.lse()));
  }
}
