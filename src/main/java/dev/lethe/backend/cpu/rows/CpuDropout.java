package dev.lethe.backend.cpu.rows;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.kernel.DropoutKernels;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Dropout by the mask of {@link DropoutKernels#keeps}. */
public final class CpuDropout implements DropoutKernels {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final Cpu cpu;

  public CpuDropout(Cpu cpu) {
    this.cpu = cpu;
  }

  @Override
  public void apply(Apply call) {
    Tensor keys = call.keys();
    double probability = call.probability();
    boolean accumulate = call.accumulate();
    MemorySegment in = Cpu.memory(call.x());
    MemorySegment out = Cpu.memory(call.y());
    float gain = (float) (1 / (1 - probability));
    long width = call.x().dim(-1);
    long n = call.x().dim(-2);
    cpu.pool()
        .runRanges(
            Math.toIntExact(call.x().shape().rows()),
            Cpu.grain(width),
            (from, to, scratch) -> {
              for (long row = from; row < to; row++) {
                long rowSeed =
                    DropoutKernels.rowSeed(call.seed(), DropoutKernels.key(keys, row % n));
                for (long column = 0; column < width; column++) {
                  long at = 4 * (row * width + column);
                  boolean kept = DropoutKernels.keeps(rowSeed, column, probability);
                  float value = kept ? gain * in.get(FLOAT, at) : 0;
                  out.set(FLOAT, at, accumulate ? out.get(FLOAT, at) + value : value);
                }
              }
            });
  }
}
