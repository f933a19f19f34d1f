package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.LossKernels;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;

/** x ↦ row losses; the adjoint of the row losses is their weights. */
record LossRules(int m, int d, int v) implements BlockRules {
  @Override
  public int[] parts() {
    return new int[] {m * d};
  }

  @Override
  public double[] forward(double[] x) {
    Tensor rowLoss = Flat.output(m);
    BACKEND.run(
        new LossKernels.Forward(
            head(), Flat.piece(x, 0, m, d), targets(), null, rowLoss, null, null));
    return Flat.join(rowLoss);
  }

  @Override
  public double[] tangent(double[] x, double[] dx) {
    Tensor dLoss = Flat.output(2, m);
    BACKEND.run(
        new LossKernels.Tangent(head(), softmax(x), targets(), Flat.pair(dx, 0, m, d), dLoss));
    return Flat.second(dLoss);
  }

  @Override
  public double[] backward(double[] x, double[] gy) {
    Tensor gx = Flat.output(m, d);
    Tensor weights = Flat.piece(gy, 0, m);
    Tensor in = Flat.piece(x, 0, m, d);
    BACKEND.run(new LossKernels.Forward(head(), in, targets(), weights, Flat.output(m), null, gx));
    return Flat.join(gx);
  }

  @Override
  public double[] backwardTangent(double[] x, double[] gy, double[] dx, double[] dgy) {
    Tensor dgx = Flat.output(2, m, d);
    Tensor weights = Flat.piece(gy, 0, m);
    BACKEND.run(
        new LossKernels.BackwardTangent(head(), softmax(x), weights, Flat.pair(dx, 0, m, d), dgx));
    return Flat.second(dgx);
  }

  @Override
  public boolean adjointVaries() {
    return false;
  }

  private Tensor softmax(double[] x) {
    Tensor p = Flat.output(m, v);
    Tensor in = Flat.piece(x, 0, m, d);
    BACKEND.run(new LossKernels.Forward(head(), in, targets(), null, Flat.output(m), p, null));
    return p;
  }

  private FrozenLinear head() {
    Tensor w = Flat.zeros(v, d);
    for (int i = 0; i < v * d; i++) {
      w.set(i, Math.sin(1.7 * i));
    }
    return new ReferenceLinear(w, null, true);
  }

  private Tensor targets() {
    int[] targets = new int[m];
    for (int i = 0; i < m; i++) {
      targets[i] = 7 * i % v;
    }
    return Tensor.of(Shape.of(m), targets);
  }
}
