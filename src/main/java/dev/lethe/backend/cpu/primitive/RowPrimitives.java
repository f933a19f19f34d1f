package dev.lethe.backend.cpu.primitive;

import dev.lethe.backend.kernel.VectorKernels.AdamWNumbers;
import dev.lethe.tensor.DType;
import java.lang.foreign.MemorySegment;

/**
 * Arithmetic on runs of n contiguous floats. Offsets are in bytes. Sums run over 16 virtual lanes
 * (lane j takes the elements whose index is j modulo 16) that are folded in halves, whatever the
 * width of the machine's registers, so that all implementations give the same bytes.
 */
public interface RowPrimitives {
  /** Virtual lanes of a sum. */
  int LANES = 16;

  /** x = value. */
  void fill(MemorySegment x, long xo, int n, float value);

  /** y = x. */
  void copy(MemorySegment x, long xo, MemorySegment y, long yo, int n);

  /** y = x, where x holds bfloat16 numbers, at any byte. */
  void widen(MemorySegment x, long xo, MemorySegment y, long yo, int n);

  /** y = x + f. */
  void add(MemorySegment x, long xo, MemorySegment f, long fo, MemorySegment y, long yo, int n);

  /** y = a·x + b·y. */
  void axpby(float a, MemorySegment x, long xo, float b, MemorySegment y, long yo, int n);

  /** y = a·x. */
  void scale(float a, MemorySegment x, long xo, MemorySegment y, long yo, int n);

  /** Σ x∘y. */
  float dot(MemorySegment x, long xo, MemorySegment y, long yo, int n);

  /** Σ x∘y∘z. */
  float dot3(
      MemorySegment x, long xo, MemorySegment y, long yo, MemorySegment z, long zo, int n);

  /** Σ x∘y in double. */
  double dotDouble(MemorySegment x, long xo, MemorySegment y, long yo, int n);

  /** The largest element; −∞ of none. */
  float max(MemorySegment x, long xo, int n);

  /** x = exp(scale·x − shift); returns the sum. */
  float expSum(MemorySegment x, long xo, int n, float scale, float shift);

  /** Whether no element is infinite or NaN. */
  boolean allFinite(MemorySegment x, long xo, int n);

  /** Whether none of n numbers of bfloat16, at any byte, is infinite or NaN. */
  default boolean allFiniteBf16(MemorySegment x, long xo, long n) {
    boolean finite = true;
    for (long i = 0; i < n; i++) {
      finite &= Float.isFinite(DType.bf16ToFloat(x.get(TilePrimitives.HALF, xo + 2 * i)));
    }
    return finite;
  }

  /** y = the sum. */
  void normCombine(NormSum sum, MemorySegment y, long yo, int n);

  /** y = a·p∘(x − shift). */
  void weighted(
      float a,
      MemorySegment p,
      long po,
      MemorySegment x,
      long xo,
      float shift,
      MemorySegment y,
      long yo,
      int n);

  /**
   * The middle of attention's backward tangent: ds ← Ṗ = P∘(c·ds − μ), dp ← Ṗ∘(gp − D) + P∘(dp −
   * Ḋ), all at the same offset.
   */
  void attentionSecond(
      MemorySegment p,
      MemorySegment ds,
      MemorySegment gp,
      MemorySegment dp,
      long offset,
      int n,
      float c,
      float mu,
      float delta,
      float dDelta);

  /**
   * Pairs of a head turned in place by angles of the given cosines and sines: x₁ becomes x₁c − σx₂s and x₂
   * becomes x₂c + σx₁s, where the x₂ begin {@code 4·pairs} bytes after the x₁.
   *
   * @param sign σ: 1 forward, −1 backward
   */
  void rotate(
      MemorySegment x,
      long offset,
      MemorySegment cos,
      MemorySegment sin,
      long angles,
      int pairs,
      float sign);

  /** One step of AdamW over elements at the same offset of all four. */
  void adamW(
      AdamWNumbers step,
      MemorySegment theta,
      MemorySegment g,
      MemorySegment m,
      MemorySegment v,
      long offset,
      int n);

  /** Where elements {@code first … first+n-1} lie as floats: in place, or behind the copy that this makes of BF16. */
  default Run floats(DType type, MemorySegment x, long first, int n, MemorySegment copy) {
    if (type == DType.F32) {
      return new Run(x, 4 * first);
    }
    widen(x, 2 * first, copy, 0, n);
    return new Run(copy, 0);
  }

  /** Floats at a byte offset. */
  record Run(MemorySegment segment, long offset) {}
}
