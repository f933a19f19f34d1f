package dev.lethe.backend;

import dev.lethe.backend.kernel.LoraGradientKernels;
import dev.lethe.backend.kernel.LoraKernels;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.jmh.Counters;
import dev.lethe.jmh.KernelBenchmark;
import dev.lethe.tensor.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/**
 * Claim: an adapter of rank 8 costs a linear layer little more than its own operations in each of the four modes,
 * and its parameter gradients cost less than the layer's backward.
 */
public class LoraBenchmark extends KernelBenchmark {
  private static final int N = 512;
  private static final int SAMPLES = 4;
  private static final int IN = 288;
  private static final int OUT = 288;
  private static final int RANK = 8;
  private static final double FROZEN = 2.0 * N * IN * OUT;
  private static final double PAIR = 2.0 * N * RANK * (IN + OUT);

  private final LoraSlot slot = new LoraSlot(IN, OUT, RANK, 2, 0, (long) RANK * IN);
  private final Packing packing =
      Packing.ofLengths(N / SAMPLES, N / SAMPLES, N / SAMPLES, N / SAMPLES);
  private LoraLinear layer;
  private Tensor theta;
  private Tensor v;
  private Tensor x;
  private Tensor u;
  private Tensor gy;
  private Tensor h;
  private Tensor dx;
  private Tensor du;
  private Tensor dgy;
  private Tensor dh;
  private Tensor y;
  private Tensor gx;
  private Tensor g;
  private Tensor perSample;

  @Override
  protected void prepare() {
    layer = new LoraLinear(frozen(OUT, IN), slot);
    theta = vector(slot.parameters());
    v = vector(1, slot.parameters());
    x = in(N, IN);
    u = in(N, RANK);
    gy = in(1, N, OUT);
    h = in(1, N, RANK);
    dx = in(1, N, IN);
    du = in(1, N, RANK);
    dgy = in(1, N, OUT);
    dh = in(1, N, RANK);
    y = out(1, N, OUT);
    gx = out(1, N, IN);
    g = vector(1, slot.parameters());
    perSample = vectorOut(SAMPLES, slot.parameters());
  }

  @Benchmark
  public void forward(Counters.Flops work) {
    backend.run(new LoraKernels.Forward(layer, theta, x, x, u, y.row(0)));
    work.flops += FROZEN + PAIR;
  }

  @Benchmark
  public void tangent(Counters.Flops work) {
    backend.run(
        new LoraKernels.Tangent(
            layer, theta, v, x, u, new LoraKernels.InputTangent(dx, null), du, y));
    work.flops += FROZEN + 2 * PAIR;
  }

  @Benchmark
  public void backward(Counters.Flops work) {
    backend.run(
        new LoraKernels.Backward(
            layer, theta, gy, h, new LoraKernels.InputAdjoint(gx, null, false)));
    work.flops += FROZEN + PAIR;
  }

  @Benchmark
  public void backwardTangent(Counters.Flops work) {
    backend.run(
        new LoraKernels.BackwardTangent(
            layer,
            theta,
            v,
            gy.row(0),
            h.row(0),
            dgy,
            dh,
            new LoraKernels.InputAdjoint(gx, null, false)));
    work.flops += FROZEN + 2 * PAIR;
  }

  @Benchmark
  public void gradient(Counters.Flops work) {
    backend.run(new LoraGradientKernels.Gradient(slot, new LoraGradientKernels.Kept(x, u, h, gy), 1e-3, g));
    work.flops += PAIR;
  }

  @Benchmark
  public void gradientTangent(Counters.Flops work) {
    backend.run(
        new LoraGradientKernels.GradientTangent(
            slot,
            new LoraGradientKernels.Kept(x, u, h.row(0), gy.row(0)),
            new LoraGradientKernels.KeptTangent(dx, du, dh, dgy),
            1e-3,
            g));
    work.flops += 2 * PAIR;
  }

  @Benchmark
  public void perSampleGradient(Counters.Flops work) {
    backend.run(
        new LoraGradientKernels.PerSampleGradient(
            slot, packing, new LoraGradientKernels.Kept(x, u, h.row(0), gy.row(0)), 1, perSample));
    work.flops += PAIR;
  }
}
