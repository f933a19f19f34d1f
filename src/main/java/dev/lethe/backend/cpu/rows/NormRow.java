package dev.lethe.backend.cpu.rows;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.primitive.NormSum;
import dev.lethe.backend.cpu.primitive.RowPrimitives.Run;
import java.lang.foreign.MemorySegment;

/** What norms make of a row. */
final class NormRow {
  private NormRow() {}

  /** y = the sum, n floats from a byte offset on. */
  static void combine(Cpu cpu, NormSum sum, MemorySegment y, long yo, int n) {
    Run zeros = new Run(cpu.zeros(), 0);
    for (int i = 0; i < n; i += Cpu.ZEROS) {
      NormSum part = i == 0 ? sum : sum.from(4L * i);
      cpu.rows()
          .normCombine(
              part.base() == null ? part.onto(zeros) : part,
              y,
              yo + 4L * i,
              Math.min(Cpu.ZEROS, n - i));
    }
  }

  /** The memory from this byte offset on; null for null. */
  static Run orNull(MemorySegment memory, long offset) {
    return memory == null ? null : new Run(memory, offset);
  }
}
