package dev.lethe.autograd;

import dev.lethe.backend.AttentionKernels;
import dev.lethe.backend.Backend;
import dev.lethe.backend.DropoutKernels;
import dev.lethe.backend.LoraKernels;
import dev.lethe.backend.LossKernels;
import dev.lethe.backend.RmsNormKernels;
import dev.lethe.backend.RopeKernels;
import dev.lethe.backend.RowKernels;
import dev.lethe.backend.SwiGluKernels;
import dev.lethe.tensor.Tensor;

/**
 * The backward tangent rule of every active operation: the derivative of its backward rule along the
 * tangents, which makes forward-over-reverse Hessian products.
 */
final class BackwardTangentRules {
  private final Backend backend;
  private final Tensor theta;
  private final Directions directions;
  private final long k;
  private final Slots primal;
  private final Slots adjoint;
  private final Slots tangent;
  private final Slots adjointTangent;

  /**
   * @param adjoint the primal's kept adjoints, leading 1
   */
  BackwardTangentRules(
      Backend backend,
      Tensor theta,
      Directions directions,
      Slots primal,
      Slots adjoint,
      Slots tangent,
      Slots adjointTangent) {
    this.backend = backend;
    this.theta = theta;
    this.directions = directions;
    this.k = directions.v.dim(0);
    this.primal = primal;
    this.adjoint = adjoint;
    this.tangent = tangent;
    this.adjointTangent = adjointTangent;
  }

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
      case Op.SelectRows s -> selectRows(s);
      case Op.CrossEntropy c -> crossEntropy(c);
    }
  }

  private void rmsNorm(Op.RmsNorm n) {
    Tensor s = primal.get(n.s());
    Tensor r = primal.single(n.r());
    Tensor gy = adjoint.single(n.y());
    Tensor ds = tangent.get(n.s());
    Tensor dgs = n.hasResidual() ? adjointTangent.get(n.s()) : null;
    Tensor dgy = adjointTangent.get(n.y());
    Value first = n.x().active() ? n.x() : n.f();
    Tensor dgx = adjointTangent.allocate(first, k);
    backend.run(
        new RmsNormKernels.BackwardTangent(
            new RmsNormKernels.Primal(n.weight(), s, r), gy, ds, dgs, dgy, dgx));
    if (n.hasResidual() && n.x().active() && n.f().active()) {
      adjointTangent.share(n.x(), n.f());
    }
  }

  private void linear(Op.Linear l) {
    Tensor dgy = adjointTangent.get(l.y());
    boolean accumulate = adjointTangent.has(l.x());
    Tensor dgx = l.x().active() ? adjointTangent.accumulated(l.x(), k) : null;
    if (l.layer().hasAdapter()) {
      adaptedLinear(l, dgy, dgx, accumulate);
    } else {
      // A frozen map is linear: its backward is its own backward tangent.
      backend.run(
          new LoraKernels.Backward(
              l.layer(), null, dgy, null, new LoraKernels.InputAdjoint(dgx, null, accumulate)));
    }
  }

  private void adaptedLinear(Op.Linear l, Tensor dgy, Tensor dgx, boolean accumulate) {
    Tensor gy = adjoint.single(l.y());
    Tensor h = adjoint.single(l.u());
    Tensor dh = adjointTangent.allocate(l.u(), k);
    boolean apart = !l.sharedInput() && l.xa().active();
    Tensor dgxa = apart ? adjointTangent.allocate(l.xa(), k) : null;
    backend.run(
        new LoraKernels.BackwardTangent(
            l.layer(),
            theta,
            directions.v,
            gy,
            h,
            dgy,
            dh,
            new LoraKernels.InputAdjoint(dgx, dgxa, accumulate)));
    Tensor xa = primal.get(l.xa());
    Tensor u = primal.get(l.u());
    Tensor dxa = tangent.get(l.xa());
    Tensor du = tangent.get(l.u());
    backend.run(
        new LoraKernels.GradientTangent(
            l.layer().slot(),
            new LoraKernels.Kept(xa, u, h, gy),
            new LoraKernels.KeptTangent(dxa, du, dh, dgy),
            directions.scale,
            directions.products));
  }

  private void rope(Op.Rope r) {
    adjointTangent.share(r.y(), r.x());
    Tensor dgx = adjointTangent.get(r.x());
    backend.run(new RopeKernels.Rotate(r.table(), r.positions(), dgx, dgx, true));
  }

  private void attention(Op.Attention a) {
    AttentionKernels.Tangents t =
        new AttentionKernels.Tangents(
            tangent.get(a.q()),
            tangent.get(a.k()),
            tangent.get(a.v()),
            tangent.get(a.o()),
            tangent.get(a.lse()));
    backend.run(
        new AttentionKernels.BackwardTangent(
            a.shape(),
            a.packing(),
            TangentRules.primal(primal, a),
            adjoint.single(a.o()),
            adjoint.single(a.lse()),
            t,
            adjointTangent.get(a.o()),
            new AttentionKernels.InputAdjoints(
                adjointTangent.allocate(a.q(), k),
                adjointTangent.allocate(a.k(), k),
                adjointTangent.allocate(a.v(), k))));
  }

  private void swiGlu(Op.SwiGlu s) {
    Tensor gh = adjoint.single(s.h());
    Tensor da = tangent.get(s.a());
    Tensor db = tangent.get(s.b());
    Tensor dgh = adjointTangent.get(s.h());
    Tensor dga = adjointTangent.allocate(s.a(), k);
    Tensor dgb = adjointTangent.allocate(s.b(), k);
    backend.run(
        new SwiGluKernels.BackwardTangent(
            primal.get(s.a()), primal.get(s.b()), gh, da, db, dgh, dga, dgb));
  }

  private void dropout(Op.Dropout d) {
    boolean accumulate = adjointTangent.has(d.x());
    Tensor dgy = adjointTangent.get(d.y());
    Tensor dgx = adjointTangent.accumulated(d.x(), k);
    backend.run(
        new DropoutKernels.Apply(d.seed(), d.probability(), d.keys(), dgy, dgx, accumulate));
  }

  private void selectRows(Op.SelectRows s) {
    Tensor dgy = adjointTangent.get(s.y());
    backend.run(new RowKernels.Scatter(s.rows(), dgy, adjointTangent.allocate(s.x(), k)));
  }

  private void crossEntropy(Op.CrossEntropy c) {
    Tensor p = primal.get(c.p());
    Tensor dx = tangent.get(c.x());
    Tensor dgx = adjointTangent.allocate(c.x(), k);
    backend.run(new LossKernels.BackwardTangent(c.head(), p, c.weights(), dx, dgx));
  }

  /**
   * @param v directions (k,P)
   * @param scale factor of what is added to the products
   * @param products (k,P)
   */
  record Directions(Tensor v, double scale, Tensor products) {}
}
