package dev.lethe.autograd;

import dev.lethe.backend.AttentionKernels;
import dev.lethe.backend.Backend;
import dev.lethe.backend.DropoutKernels;
import dev.lethe.backend.EmbeddingKernels;
import dev.lethe.backend.LoraKernels;
import dev.lethe.backend.LossKernels;
import dev.lethe.backend.RmsNormKernels;
import dev.lethe.backend.RopeKernels;
import dev.lethe.backend.RowKernels;
import dev.lethe.backend.SwiGluKernels;
import dev.lethe.tensor.Tensor;

/** The forward rule of every operation: outputs from inputs. */
final class ForwardRules {
  private final Backend backend;
  private final Tensor theta;
  private final Slots primal;
  private final Slots adjoint;
  private final boolean keepSoftmax;

  /**
   * @param theta adapter parameters (P)
   * @param adjoint where the loss leaves the adjoint of its input; null where no gradient is wanted
   * @param keepSoftmax whether products will be wanted
   */
  ForwardRules(Backend backend, Tensor theta, Slots primal, Slots adjoint, boolean keepSoftmax) {
    this.backend = backend;
    this.theta = theta;
    this.primal = primal;
    this.adjoint = adjoint;
    this.keepSoftmax = keepSoftmax;
  }

  void apply(Op op) {
    switch (op) {
      case Op.Embedding e ->
          backend.run(new EmbeddingKernels.Forward(e.table(), e.ids(), primal.allocate(e.y())));
      case Op.Input i -> primal.lend(i.x(), i.y());
      case Op.RmsNorm n -> rmsNorm(n);
      case Op.Linear l -> linear(l);
      case Op.Rope r -> rope(r);
      case Op.Attention a -> attention(a);
      case Op.SwiGlu s ->
          backend.run(
              new SwiGluKernels.Forward(
                  primal.get(s.a()), primal.get(s.b()), primal.allocate(s.h())));
      case Op.Dropout d -> dropout(d);
      case Op.SelectRows s ->
          backend.run(new RowKernels.Gather(s.rows(), primal.get(s.x()), primal.allocate(s.y())));
      case Op.CrossEntropy c -> crossEntropy(c);
    }
  }

  private void rmsNorm(Op.RmsNorm n) {
    Tensor f = n.hasResidual() ? primal.get(n.f()) : null;
    Tensor s = n.hasResidual() ? primal.allocate(n.s()) : null;
    Tensor y = primal.allocate(n.y());
    Tensor r = primal.allocate(n.r()).row(0);
    backend.run(new RmsNormKernels.Forward(n.weight(), n.epsilon(), primal.get(n.x()), f, s, y, r));
  }

  private void linear(Op.Linear l) {
    boolean adapter = l.layer().hasAdapter();
    Tensor u = adapter ? primal.allocate(l.u()) : null;
    Tensor x = primal.get(l.x());
    Tensor xa = primal.get(l.xa());
    backend.run(
        new LoraKernels.Forward(
            l.layer(), adapter ? theta : null, x, xa, u, primal.allocate(l.y())));
  }

  private void rope(Op.Rope r) {
    primal.share(r.x(), r.y());
    Tensor y = primal.get(r.y());
    backend.run(new RopeKernels.Rotate(r.table(), r.positions(), y, y, false));
  }

  private void attention(Op.Attention a) {
    Tensor q = primal.get(a.q());
    Tensor k = primal.get(a.k());
    Tensor v = primal.get(a.v());
    Tensor o = primal.allocate(a.o());
    Tensor lse = primal.allocate(a.lse());
    backend.run(
        new AttentionKernels.Forward(
            a.shape(), a.packing(), a.packing(), new AttentionKernels.Primal(q, k, v, o, lse)));
  }

  private void dropout(Op.Dropout d) {
    Tensor x = primal.get(d.x());
    Tensor y = primal.allocate(d.y());
    backend.run(new DropoutKernels.Apply(d.seed(), d.probability(), d.keys(), x, y, false));
  }

  private void crossEntropy(Op.CrossEntropy c) {
    Tensor loss = primal.allocate(c.loss()).row(0);
    Tensor p = keepSoftmax ? primal.allocate(c.p()) : null;
    boolean wantsAdjoint = adjoint != null && c.x().active();
    Tensor gx = wantsAdjoint ? adjoint.allocate(c.x(), 1).row(0) : null;
    backend.run(
        new LossKernels.Forward(
            c.head(), primal.get(c.x()), c.targets(), c.weights(), loss, p, gx));
  }
}
