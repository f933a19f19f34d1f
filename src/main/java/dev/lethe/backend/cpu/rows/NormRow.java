package dev.lethe.backend.cpu.rows;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.primitive.RowPrimitives;
import java.lang.foreign.MemorySegment;

/** What norms make of a row: sums of other rows, some of them weighted. */
final class NormRow {
  private NormRow() {}

  /** y = base + w∘(a₁g₁ + a₂g₂) + c₁s₁ + c₂s₂, where base may be null for zero; offsets are in bytes. */
  static void combine(
      Cpu cpu,
      MemorySegment base,
      long baseO,
      MemorySegment w,
      double a1,
      MemorySegment g1,
      long g1o,
      double a2,
      MemorySegment g2,
      long g2o,
      double c1,
      MemorySegment s1,
      long s1o,
      double c2,
      MemorySegment s2,
      long s2o,
      MemorySegment y,
      long yo,
      int n) {
    RowPrimitives rows = cpu.rows();
    for (int i = 0; i < n; i += Cpu.ZEROS) {
      long at = 4L * i;
      rows.normCombine(
          base == null ? cpu.zeros() : base, base == null ? 0 : baseO + at, w, at, (float) a1, g1,
          g1o + at, (float) a2, g2, g2o + at, (float) c1, s1, s1o + at, (float) c2, s2, s2o + at, y,
          yo + at, Math.min(Cpu.ZEROS, n - i));
    }
  }
}
