package dev.lethe.backend.cpu.rows;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.primitive.RowPrimitives;
import dev.lethe.backend.kernel.Require;
import dev.lethe.backend.kernel.RopeKernels;
import dev.lethe.backend.kernel.operand.RopeTable;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Rotary position embedding, head by head. */
public final class CpuRope implements RopeKernels {
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

  private final Cpu cpu;

  public CpuRope(Cpu cpu) {
    this.cpu = cpu;
  }

  @Override
  public void rotate(Rotate call) {
    RopeTable table = call.table();
    Tensor x = call.x();
    float sign = call.back() ? -1 : 1;
    int pairs = Math.toIntExact(table.pairs());
    int headSize = Math.toIntExact(table.headSize());
    int width = Math.toIntExact(x.dim(-1));
    MemorySegment at = Cpu.memory(call.positions());
    int n = Math.toIntExact(call.positions().elements());
    for (int row = 0; row < n; row++) {
      Require.index(call, "positions", row, at.get(INT, 4L * row), table.positions());
    }
    MemorySegment cos = Cpu.memory(table.cos());
    MemorySegment sin = Cpu.memory(table.sin());
    MemorySegment values = Cpu.memory(x);
    RowPrimitives rows = cpu.rows();
    cpu.pool()
        .runRanges(
            Math.toIntExact(x.shape().rows()),
            Cpu.grain(width),
            (from, to, scratch) -> {
              for (int row = from; row < to; row++) {
                long angles = 4L * pairs * at.get(INT, 4L * (row % n));
                for (int head = 0; head < width; head += headSize) {
                  long offset = 4L * ((long) row * width + head);
                  rows.rotate(values, offset, cos, sin, angles, pairs, sign);
                }
              }
            });
  }
}
