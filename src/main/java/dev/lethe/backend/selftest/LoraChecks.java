package dev.lethe.backend.selftest;

import static dev.lethe.backend.selftest.KernelCheck.of;

import dev.lethe.backend.LoraKernels;
import dev.lethe.backend.LoraLinear;
import dev.lethe.backend.LoraSlot;
import dev.lethe.backend.Packing;
import dev.lethe.tensor.Tensor;
import java.util.List;

/** The LoRA linear layer: its four modes and its parameter products. */
final class LoraChecks {
  private static final int[][] SIZES = {
    {1, 3, 2, 1}, {9, 16, 24, 4}, {33, 40, 17, 8}, {130, 256, 320, 16}, {70, 512, 96, 8}
  };
  private static final int K = 2;
  private static final int SPARE = 5;
  private static final double SCALE = 0.7;

  private LoraChecks() {}

  static List<KernelCheck> all() {
    return List.of(
        of("lora", "forward", (s, i) -> layer(s, i).forward()),
        of("lora", "tangent", (s, i) -> layer(s, i).tangent()),
        of("lora", "backward", (s, i) -> layer(s, i).backward()),
        of("lora", "backward tangent", (s, i) -> layer(s, i).backwardTangent()),
        of("lora", "gradient", (s, i) -> layer(s, i).gradient()),
        of("lora", "gradient tangent", (s, i) -> layer(s, i).gradientTangent()),
        of("lora", "per-sample gradient", (s, i) -> layer(s, i).perSample()),
        of("lora", "per-sample squared norm", (s, i) -> layer(s, i).perSampleNorm()),
        of("lora", "per-sample dot", (s, i) -> layer(s, i).perSampleDot()),
        of("lora", "weighted gradient", (s, i) -> layer(s, i).weighted()));
  }

  private static Layer layer(Stage s, int i) {
    return new Layer(s, SIZES[i][0], SIZES[i][1], SIZES[i][2], SIZES[i][3]);
  }

  /** One layer at one size; every method makes one call. */
  private record Layer(Stage s, int n, int in, int out, int rank) {
    private LoraSlot slot() {
      return new LoraSlot(in, out, rank, SCALE, SPARE, SPARE + (long) rank * in);
    }

    private long parameters() {
      return slot().parameters() + 2 * SPARE;
    }

    private LoraLinear linear() {
      return new LoraLinear(s.frozen(out, in), slot());
    }

    private Packing packing() {
      return n < 3 ? Packing.ofLengths(n) : Packing.ofLengths(1, n - 1);
    }

    private Tensor theta() {
      return s.vector(parameters());
    }

    void forward() {
      Tensor x = s.in(n, in);
      s.backend.run(
          new LoraKernels.Forward(linear(), theta(), x, x, s.out(n, rank), s.out(n, out)));
    }

    void tangent() {
      s.backend.run(
          new LoraKernels.Tangent(
              linear(),
              theta(),
              s.vector(K, parameters()),
              s.in(n, in),
              s.in(n, rank),
              new LoraKernels.InputTangent(s.in(K, n, in), null),
              s.out(K, n, rank),
              s.out(K, n, out)));
    }

    void backward() {
      s.backend.run(
          new LoraKernels.Backward(
              linear(),
              theta(),
              s.in(K, n, out),
              s.out(K, n, rank),
              new LoraKernels.InputAdjoint(s.out(K, n, in), null, false)));
    }

    void backwardTangent() {
      s.backend.run(
          new LoraKernels.BackwardTangent(
              linear(),
              theta(),
              s.vector(K, parameters()),
              s.in(n, out),
              s.in(n, rank),
              s.in(K, n, out),
              s.out(K, n, rank),
              new LoraKernels.InputAdjoint(s.out(K, n, in), null, false)));
    }

    void gradient() {
      s.backend.run(
          new LoraKernels.Gradient(
              slot(),
              new LoraKernels.Kept(s.in(n, in), s.in(n, rank), s.in(K, n, rank), s.in(K, n, out)),
              0.5,
              s.sum(K, parameters())));
    }

    void gradientTangent() {
      s.backend.run(
          new LoraKernels.GradientTangent(
              slot(),
              new LoraKernels.Kept(s.in(n, in), s.in(n, rank), s.in(n, rank), s.in(n, out)),
              new LoraKernels.KeptTangent(
                  s.in(K, n, in), s.in(K, n, rank), s.in(K, n, rank), s.in(K, n, out)),
              0.5,
              s.sum(K, parameters())));
    }

    void perSample() {
      s.backend.run(
          new LoraKernels.PerSampleGradient(
              slot(),
              packing(),
              new LoraKernels.Kept(s.in(n, in), s.in(n, rank), s.in(n, rank), s.in(n, out)),
              0.5,
              s.sum(packing().count(), parameters())));
    }

    void perSampleNorm() {
      s.backend.run(
          new LoraKernels.PerSampleSquaredNorm(
              slot(),
              packing(),
              new LoraKernels.Kept(s.in(n, in), s.in(n, rank), s.in(n, rank), s.in(n, out)),
              s.sum(packing().count())));
    }

    void perSampleDot() {
      s.backend.run(
          new LoraKernels.PerSampleDot(
              slot(),
              packing(),
              s.vector(K, parameters()),
              new LoraKernels.Kept(s.in(n, in), s.in(n, rank), s.in(n, rank), s.in(n, out)),
              s.sum(K, packing().count())));
    }

    void weighted() {
      s.backend.run(
          new LoraKernels.WeightedGradient(
              slot(),
              packing(),
              s.vector(K, packing().count()),
              new LoraKernels.Kept(s.in(n, in), s.in(n, rank), s.in(n, rank), s.in(n, out)),
              0.5,
              s.sum(K, parameters())));
    }
  }
}
