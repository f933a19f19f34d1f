package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.LoraGradientKernels;
import dev.lethe.backend.kernel.LoraKernels;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.tensor.Tensor;

/** (A, B, x) ↦ y, or (A, B, x, xₐ) ↦ y where the adapter has an input of its own. */
record LoraRules(int n, int in, int out, int rank, boolean ownInput) implements BlockRules {
  private static final double SCALE = 0.7;
  private static final double GRADIENT_SCALE = 1;

  @Override
  public int[] parts() {
    return ownInput
        ? new int[] {rank * in, out * rank, n * in, n * in}
        : new int[] {rank * in, out * rank, n * in};
  }

  @Override
  public double[] forward(double[] x) {
    return Flat.join(keep(x).y);
  }

  @Override
  public double[] tangent(double[] x, double[] dx) {
    Kept kept = keep(x);
    return Flat.second(tangents(kept, dx).dy);
  }

  @Override
  public double[] backward(double[] x, double[] gy) {
    Kept kept = keep(x);
    Tensor gOut = Flat.pair(gy, 0, n, out);
    Tensor h = Flat.output(2, n, rank);
    Tensor gx = Flat.output(2, n, in);
    Tensor gxa = ownInput ? Flat.output(2, n, in) : null;
    BACKEND.run(
        new LoraKernels.Backward(
            layer(), kept.theta, gOut, h, new LoraKernels.InputAdjoint(gx, gxa, false)));
    Tensor g = Flat.zeros(2, parameters());
    BACKEND.run(
        new LoraGradientKernels.Gradient(
            layer().slot(), new LoraGradientKernels.Kept(kept.xa, kept.u, h, gOut), GRADIENT_SCALE, g));
    return ownInput ? Flat.second(g, gx, gxa) : Flat.second(g, gx);
  }

  @Override
  public double[] backwardTangent(double[] x, double[] gy, double[] dx, double[] dgy) {
    Kept kept = keep(x);
    Tangents t = tangents(kept, dx);
    Tensor gOut = Flat.piece(gy, 0, n, out);
    Tensor h = Flat.output(1, n, rank);
    BACKEND.run(
        new LoraKernels.Backward(
            layer(),
            kept.theta,
            gOut.reshape(1, n, out),
            h,
            new LoraKernels.InputAdjoint(null, null, false)));
    Tensor primalH = h.reshape(n, rank);
    Tensor dgOut = Flat.pairOrNull(dgy, 0, n, out);
    Tensor dh = Flat.output(2, n, rank);
    Tensor dgx = Flat.output(2, n, in);
    Tensor dgxa = ownInput ? Flat.output(2, n, in) : null;
    BACKEND.run(
        new LoraKernels.BackwardTangent(
            layer(),
            kept.theta,
            t.v,
            gOut,
            primalH,
            dgOut,
            dh,
            new LoraKernels.InputAdjoint(dgx, dgxa, false)));
    Tensor g = Flat.zeros(2, parameters());
    BACKEND.run(
        new LoraGradientKernels.GradientTangent(
            layer().slot(),
            new LoraGradientKernels.Kept(kept.xa, kept.u, primalH, gOut),
            new LoraGradientKernels.KeptTangent(ownInput ? t.dxa : t.dx, t.du, dh, dgOut),
            GRADIENT_SCALE,
            g));
    return ownInput ? Flat.second(g, dgx, dgxa) : Flat.second(g, dgx);
  }

  private int parameters() {
    return rank * (in + out);
  }

  private LoraLinear layer() {
    Tensor w = Flat.zeros(out, in);
    for (int i = 0; i < out * in; i++) {
      w.set(i, Math.sin(1.3 * i));
    }
    Tensor bias = Flat.zeros(out);
    bias.set(0, 3);
    LoraSlot slot = new LoraSlot(in, out, rank, SCALE, 0, (long) rank * in);
    return new LoraLinear(new ReferenceLinear(w, bias, true), slot);
  }

  private Kept keep(double[] x) {
    Tensor theta = Flat.piece(x, 0, parameters());
    Tensor input = Flat.piece(x, parameters(), n, in);
    Tensor xa = ownInput ? Flat.piece(x, parameters() + n * in, n, in) : input;
    Tensor u = Flat.output(n, rank);
    Tensor y = Flat.output(n, out);
    BACKEND.run(new LoraKernels.Forward(layer(), theta, input, xa, u, y));
    return new Kept(theta, xa, u, y);
  }

  private Tangents tangents(Kept kept, double[] dx) {
    Tensor v = Flat.pair(dx, 0, parameters());
    Tensor dIn = Flat.pairOrNull(dx, parameters(), n, in);
    // An own input that does not move is given as zeros: null would say that it moves as x does.
    Tensor dxa = ownInput ? Flat.pair(dx, parameters() + n * in, n, in) : null;
    Tensor du = Flat.output(2, n, rank);
    Tensor dy = Flat.output(2, n, out);
    BACKEND.run(
        new LoraKernels.Tangent(
            layer(),
            kept.theta,
            v,
            kept.xa,
            kept.u,
            new LoraKernels.InputTangent(dIn, dxa),
            du,
            dy));
    return new Tangents(v, dIn, dxa, du, dy);
  }

  private record Kept(Tensor theta, Tensor xa, Tensor u, Tensor y) {}

  private record Tangents(Tensor v, Tensor dx, Tensor dxa, Tensor du, Tensor dy) {}
}
