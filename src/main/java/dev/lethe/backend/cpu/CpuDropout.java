package dev.lethe.backend.cpu;

import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.DropoutKernels;
import dev.lethe.backend.Require;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Dropout by the mask of {@link DropoutKernels#keeps}. */
final class CpuDropout implements DropoutKernels {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final Cpu cpu;

  CpuDropout(Cpu cpu) {
    this.cpu = cpu;
  }

  @Override
  public void apply(
      long seed, double probability, long maskElements, Tensor x, Tensor y, boolean accumulate) {
    Require.rank("dropout.apply: x", x, 2, 3);
    Require.tensor("dropout.apply: x", x, F32, x.shape().toArray());
    Require.tensor("dropout.apply: y", y, F32, x.shape().toArray());
    Require.that(
        probability >= 0 && probability < 1, "dropout.apply: probability", "[0,1)", probability);
    Require.that(
        maskElements == x.dim(-2) * x.dim(-1),
        "dropout.apply: maskElements",
        x.dim(-2) * x.dim(-1),
        maskElements);
    MemorySegment in = Cpu.memory(x);
    MemorySegment out = Cpu.memory(y);
    float gain = (float) (1 / (1 - probability));
    long width = x.dim(-1);
    cpu.pool()
        .runRanges(
            Math.toIntExact(x.shape().rows()),
            Cpu.grain(width),
            (from, to, scratch) -> {
              for (long i = from * width; i < to * width; i++) {
                boolean kept = DropoutKernels.keeps(seed, i % maskElements, probability);
                float value = kept ? gain * in.get(FLOAT, 4 * i) : 0;
                out.set(FLOAT, 4 * i, accumulate ? out.get(FLOAT, 4 * i) + value : value);
              }
            });
  }
}
