package dev.lethe.backend.cpu;

import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.Require;
import dev.lethe.backend.RopeKernels;
import dev.lethe.backend.RopeTable;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Rotary position embedding, head by head, in place where asked. */
final class CpuRope implements RopeKernels {
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

  private final Cpu cpu;

  CpuRope(Cpu cpu) {
    this.cpu = cpu;
  }

  @Override
  public void rotate(RopeTable table, Tensor positions, Tensor x, Tensor y) {
    turn("rope.rotate", table, positions, x, y, 1);
  }

  @Override
  public void rotateBack(RopeTable table, Tensor positions, Tensor x, Tensor y) {
    turn("rope.rotateBack", table, positions, x, y, -1);
  }

  private void turn(
      String operation, RopeTable table, Tensor positions, Tensor x, Tensor y, float sign) {
    Require.rank(operation + ": x", x, 2, 3);
    Require.tensor(operation + ": x", x, F32, x.shape().toArray());
    Require.tensor(operation + ": y", y, F32, x.shape().toArray());
    Require.tensor(operation + ": positions", positions, DType.I32, x.dim(-2));
    int half = Math.toIntExact(table.headSize() / 2);
    Require.tensor(operation + ": cos", table.cos(), F32, table.positions(), half);
    Require.tensor(operation + ": sin", table.sin(), F32, table.positions(), half);
    int width = Math.toIntExact(x.dim(-1));
    Require.that(
        width % table.headSize() == 0,
        operation + ": width of x",
        "a multiple of the head size " + table.headSize(),
        x);
    MemorySegment at = Cpu.memory(positions);
    int n = Math.toIntExact(positions.elements());
    String what = operation + ": positions";
    for (int row = 0; row < n; row++) {
      Require.index(what, row, at.get(INT, 4L * row), table.positions());
    }
    MemorySegment cos = Cpu.memory(table.cos());
    MemorySegment sin = Cpu.memory(table.sin());
    MemorySegment in = Cpu.memory(x);
    MemorySegment out = Cpu.memory(y);
    RowPrimitives rows = cpu.rows();
    cpu.pool()
        .runRanges(
            Math.toIntExact(x.shape().rows()),
            Cpu.grain(width),
            (from, to, scratch) -> {
              for (int row = from; row < to; row++) {
                long angles = 4L * half * at.get(INT, 4L * (row % n));
                for (int head = 0; head < width; head += 2 * half) {
                  long offset = 4L * ((long) row * width + head);
                  rows.rotate(in, offset, out, offset, cos, sin, angles, half, sign);
                }
              }
            });
  }
}
