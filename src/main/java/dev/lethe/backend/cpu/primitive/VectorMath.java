package dev.lethe.backend.cpu.primitive;

import static java.nio.ByteOrder.LITTLE_ENDIAN;
import static jdk.incubator.vector.VectorOperators.ADD;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.LSHL;
import static jdk.incubator.vector.VectorOperators.LT;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/** {@link ScalarMath} on every lane of a vector, and the folding of virtual lanes. */
final class VectorMath {
  static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
  static final int L = SPECIES.length();

  private static final VectorSpecies<Integer> BITS = SPECIES.withLanes(int.class);
  private static final VectorSpecies<Short> HALVES =
      VectorSpecies.of(short.class, VectorShape.forBitSize(SPECIES.vectorBitSize() / 2));

  private static final VectorShuffle<Float> BY_8 = VectorShuffle.iota(SPECIES, 8 % L, 1, true);
  private static final VectorShuffle<Float> BY_4 = VectorShuffle.iota(SPECIES, 4 % L, 1, true);
  private static final VectorShuffle<Float> BY_2 = VectorShuffle.iota(SPECIES, 2, 1, true);
  private static final VectorShuffle<Float> BY_1 = VectorShuffle.iota(SPECIES, 1, 1, true);

  private static final FloatVector MINUS_LN2_HIGH = all(-ScalarMath.LN2_HIGH);
  private static final FloatVector MINUS_LN2_LOW = all(-ScalarMath.LN2_LOW);
  private static final FloatVector E2 = all(ScalarMath.E2);
  private static final FloatVector E3 = all(ScalarMath.E3);
  private static final FloatVector E4 = all(ScalarMath.E4);
  private static final FloatVector E5 = all(ScalarMath.E5);

  private VectorMath() {}

  /** The vector at element i of a run. */
  static FloatVector load(MemorySegment s, long offset, int i) {
    return FloatVector.fromMemorySegment(SPECIES, s, offset + 4L * i, LITTLE_ENDIAN);
  }

  /** The last elements of a run of n, from i on, and zeros. */
  static FloatVector loadTail(MemorySegment s, long offset, int i, int n) {
    return FloatVector.fromMemorySegment(
        SPECIES, s, offset + 4L * i, LITTLE_ENDIAN, SPECIES.indexInRange(i, n));
  }

  /** The vector at element i of a run of bfloat16 numbers. */
  static FloatVector loadBfloat16(MemorySegment s, long offset, int i) {
    return ShortVector.fromMemorySegment(HALVES, s, offset + 2L * i, LITTLE_ENDIAN)
        .convertShape(VectorOperators.ZERO_EXTEND_S2I, BITS, 0)
        .reinterpretAsInts()
        .lanewise(LSHL, 16)
        .reinterpretAsFloats();
  }

  static void store(FloatVector v, MemorySegment s, long offset, int i) {
    v.intoMemorySegment(s, offset + 4L * i, LITTLE_ENDIAN);
  }

  /** The same operations as {@link ScalarMath#exp}. */
  static FloatVector exp(FloatVector x) {
    FloatVector rounded = x.fma(ScalarMath.LOG2_E, ScalarMath.ROUNDER);
    FloatVector n = rounded.sub(ScalarMath.ROUNDER);
    FloatVector r = n.fma(MINUS_LN2_LOW, n.fma(MINUS_LN2_HIGH, x));
    FloatVector p = r.fma(ScalarMath.E0, ScalarMath.E1);
    p = p.fma(r, E2);
    p = p.fma(r, E3);
    p = p.fma(r, E4);
    p = p.fma(r, E5);
    FloatVector mantissa = p.fma(r.mul(r), r).add(1f);
    FloatVector power =
        rounded
            .reinterpretAsInts()
            .lanewise(LSHL, 23)
            .lanewise(ADD, 0x3F800000)
            .reinterpretAsFloats();
    VectorMask<Float> low = x.compare(LT, ScalarMath.EXP_LOW);
    VectorMask<Float> high = x.compare(GT, ScalarMath.EXP_HIGH);
    return mantissa.mul(power).blend(0f, low).blend(Float.POSITIVE_INFINITY, high);
  }

  /** The same operations as {@link ScalarMath#sigmoid}. */
  static FloatVector sigmoid(FloatVector x) {
    return all(1f).div(exp(x.neg()).add(1f));
  }

  static FloatVector all(float value) {
    return FloatVector.broadcast(SPECIES, value);
  }

  /** The sum of a vector's lanes, folded in halves. */
  static float fold(FloatVector v) {
    FloatVector sum = v;
    if (L > 8) {
      sum = sum.add(sum.rearrange(BY_8));
    }
    if (L > 4) {
      sum = sum.add(sum.rearrange(BY_4));
    }
    sum = sum.add(sum.rearrange(BY_2));
    return sum.add(sum.rearrange(BY_1)).lane(0);
  }
}
