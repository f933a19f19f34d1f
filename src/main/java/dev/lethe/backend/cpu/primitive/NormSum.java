package dev.lethe.backend.cpu.primitive;

import dev.lethe.backend.cpu.primitive.RowPrimitives.Run;
import java.lang.foreign.MemorySegment;

/**
 * What every mode of a norm makes of a row, with its own coefficients: base + w∘(a₁g₁ + a₂g₂) + c₁s₁ + c₂s₂.
 *
 * @param base null for zero, which primitives do not take
 * @param g1 a₁ and g₁
 * @param g2 a₂ and g₂
 * @param s1 c₁ and s₁
 * @param s2 c₂ and s₂
 */
public record NormSum(Run base, Run w, Term g1, Term g2, Term s1, Term s2) {
  /**
   * A run of floats and what they are multiplied by.
   *
   * @param offset in bytes
   */
  public record Term(float factor, MemorySegment segment, long offset) {
    /** With the factor rounded. */
    public Term(double factor, MemorySegment segment, long offset) {
      this((float) factor, segment, offset);
    }

    private Term from(long bytes) {
      return new Term(factor, segment, offset + bytes);
    }
  }

  /** The same of the elements that lie this many bytes further on. */
  public NormSum from(long bytes) {
    return new NormSum(
        from(base, bytes), from(w, bytes), g1.from(bytes), g2.from(bytes), s1.from(bytes),
        s2.from(bytes));
  }

  /** The same from another base. */
  public NormSum onto(Run base) {
    return new NormSum(base, w, g1, g2, s1, s2);
  }

  private static Run from(Run run, long bytes) {
    return run == null ? null : new Run(run.segment(), run.offset() + bytes);
  }
}
