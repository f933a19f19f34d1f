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
import java.util.function.Consumer;

/**
 * The backward rule of every active operation: input adjoints from output adjoints, for k adjoints at a
 * time.
 */
final class BackwardRules {
  private final Backend backend;
  private final Tensor theta;
  private final long k;
  private final Slots primal;
  private final Slots adjoint;
  private final Consumer<Op.Linear> adapters;

  /**
   * @param adapters called for each adapter right after its backward, while its adjoints are alive
   */
  BackwardRules(
      Backend backend,
      Tensor theta,
      long k,
      Slots primal,
      Slots adjoint,
      Consumer<Op.Linear> adapters) {
    this.backend = backend;
    this.theta = theta;
    this.k = k;
    this.primal = primal;
    this.adjoint = adjoint;
    this.adapters = adapters;
  }

  /** The loss's own rule ran with its forward or its backward tangent. */
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
              new RowKernels.Scatter(s.rows(), adjoint.get(s.y()), adjoint.allocate(s.x(), k)));
      case Op.CrossEntropy c -> {}
    }
  }

  private void rmsNorm(Op.RmsNorm n) {
    Tensor s = primal.get(n.s());
    Tensor r = primal.single(n.r());
    Tensor gs = n.hasResidual() ? adjoint.get(n.s()) : null;
    Tensor gy = adjoint.get(n.y());
    Value first = n.x().active() ? n.x() : n.f();
    backend.run(
        new RmsNormKernels.Backward(
            new RmsNormKernels.Primal(n.weight(), s, r), gs, gy, adjoint.allocate(first, k)));
    if (n.hasResidual() && n.x().active() && n.f().active()) {
      adjoint.share(n.x(), n.f());
    }
  }

  private void linear(Op.Linear l) {
    boolean adapter = l.layer().hasAdapter();
    Tensor gy = adjoint.get(l.y());
    Tensor h = adapter ? adjoint.allocate(l.u(), k) : null;
    boolean accumulate = adjoint.has(l.x());
    Tensor gx = l.x().active() ? adjoint.accumulated(l.x(), k) : null;
    boolean apart = adapter && !l.sharedInput() && l.xa().active();
    Tensor gxa = apart ? adjoint.allocate(l.xa(), k) : null;
    backend.run(
        new LoraKernels.Backward(
            l.layer(),
            adapter ? theta : null,
            gy,
            h,
            new LoraKernels.InputAdjoint(gx, gxa, accumulate)));
    if (adapter) {
      adapters.accept(l);
    }
  }

  private void rope(Op.Rope r) {
    adjoint.share(r.y(), r.x());
    Tensor gx = adjoint.get(r.x());
    backend.run(new RopeKernels.Rotate(r.table(), r.positions(), gx, gx, true));
  }

  private void attention(Op.Attention a) {
    Tensor gO = adjoint.get(a.o());
    Tensor delta = adjoint.allocate(a.lse(), k);
    Tensor gq = adjoint.allocate(a.q(), k);
    Tensor gk = adjoint.allocate(a.k(), k);
    Tensor gv = adjoint.allocate(a.v(), k);
    backend.run(
        new AttentionKernels.Backward(
            a.shape(),
            a.packing(),
            TangentRules.primal(primal, a),
            gO,
            delta,
            new AttentionKernels.InputAdjoints(gq, gk, gv)));
  }

  private void swiGlu(Op.SwiGlu s) {
    Tensor ga = adjoint.allocate(s.a(), k);
    Tensor gb = adjoint.allocate(s.b(), k);
    backend.run(
        new SwiGluKernels.Backward(
            primal.get(s.a()), primal.get(s.b()), adjoint.get(s.h()), ga, gb));
  }

  private void dropout(Op.Dropout d) {
    boolean accumulate = adjoint.has(d.x());
    Tensor gy = adjoint.get(d.y());
    Tensor gx = adjoint.accumulated(d.x(), k);
    backend.run(new DropoutKernels.Apply(d.seed(), d.probability(), d.keys(), gy, gx, accumulate));
  }
}
