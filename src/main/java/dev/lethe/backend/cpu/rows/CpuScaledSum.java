package dev.lethe.backend.cpu.rows;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.primitive.RowPrimitives;
import dev.lethe.backend.kernel.ScaledSumKernels;
import java.lang.foreign.MemorySegment;

/** y = c x + f, a row at a time. */
public final class CpuScaledSum implements ScaledSumKernels {
  private final Cpu cpu;

  public CpuScaledSum(Cpu cpu) {
    this.cpu = cpu;
  }

  @Override
  public void apply(Apply call) {
    MemorySegment x = Cpu.memory(call.x());
    MemorySegment f = call.f() == null ? null : Cpu.memory(call.f());
    MemorySegment y = Cpu.memory(call.y());
    float c = (float) call.c();
    int width = Math.toIntExact(call.x().dim(-1));
    RowPrimitives rows = cpu.rows();
    cpu.pool()
        .runRanges(
            Math.toIntExact(call.x().shape().rows()),
            Cpu.grain(width),
            (from, to, scratch) -> {
              for (int row = from; row < to; row++) {
                long at = 4L * row * width;
                if (f == null) {
                  rows.scale(c, x, at, y, at, width);
                } else if (c == 1) {
                  rows.add(x, at, f, at, y, at, width);
                } else if (f.equals(y)) {
                  rows.axpby(c, x, at, 1, y, at, width);
                } else {
                  rows.scale(c, x, at, y, at, width);
                  rows.add(y, at, f, at, y, at, width);
                }
              }
            });
  }
}
