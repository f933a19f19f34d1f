package dev.lethe.backend.cpu.primitive;

import static dev.lethe.backend.cpu.primitive.RowPrimitives.LANES;
import static dev.lethe.backend.cpu.primitive.VectorMath.L;
import static dev.lethe.backend.cpu.primitive.VectorMath.SPECIES;
import static dev.lethe.backend.cpu.primitive.VectorMath.all;
import static dev.lethe.backend.cpu.primitive.VectorMath.exp;
import static dev.lethe.backend.cpu.primitive.VectorMath.load;
import static dev.lethe.backend.cpu.primitive.VectorMath.loadTail;
import static dev.lethe.backend.cpu.primitive.VectorMath.store;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Sums over a run. The 16 virtual lanes are taken in passes of as many lanes as a register has:
 * one pass over the run with 512 bits, two with 256, four with 128. The passes are loops of one
 * method, because a vector that a method returns is boxed where the compiler does not inline it.
 */
final class VectorSums {
  private static final VectorSpecies<Double> DOUBLES = DoubleVector.SPECIES_PREFERRED;
  private static final int PASSES = LANES / L;

  private VectorSums() {}

  /** The first virtual lane of a pass; pairs of passes lie half the lanes apart, as they fold. */
  private static int lane(int pass) {
    return pass % 2 * (LANES / 2) + pass / 2 * L;
  }

  static float dot(MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    FloatVector even = FloatVector.zero(SPECIES);
    FloatVector odd = even;
    for (int pass = 0; pass < PASSES; pass++) {
      FloatVector sum = FloatVector.zero(SPECIES);
      int i = lane(pass);
      for (; i + L <= n; i += LANES) {
        sum = load(x, xo, i).fma(load(y, yo, i), sum);
      }
      if (i < n) {
        sum = loadTail(x, xo, i, n).fma(loadTail(y, yo, i, n), sum);
      }
      even = pass == 0 ? sum : pass == 1 ? even.add(sum) : even;
      odd = pass == 2 ? sum : pass == 3 ? odd.add(sum) : odd;
    }
    return VectorMath.fold(PASSES == 4 ? even.add(odd) : even);
  }

  static float dot3(
      MemorySegment x, long xo, MemorySegment y, long yo, MemorySegment z, long zo, int n) {
    FloatVector even = FloatVector.zero(SPECIES);
    FloatVector odd = even;
    for (int pass = 0; pass < PASSES; pass++) {
      FloatVector sum = FloatVector.zero(SPECIES);
      int i = lane(pass);
      for (; i + L <= n; i += LANES) {
        FloatVector last = FloatVector.fromMemorySegment(SPECIES, z, zo + 4L * i, LITTLE_ENDIAN);
        sum = load(x, xo, i).mul(load(y, yo, i)).fma(last, sum);
      }
      if (i < n) {
        FloatVector xy = loadTail(x, xo, i, n).mul(loadTail(y, yo, i, n));
        sum = xy.fma(loadTail(z, zo, i, n), sum);
      }
      even = pass == 0 ? sum : pass == 1 ? even.add(sum) : even;
      odd = pass == 2 ? sum : pass == 3 ? odd.add(sum) : odd;
    }
    return VectorMath.fold(PASSES == 4 ? even.add(odd) : even);
  }

  static float expSum(MemorySegment x, long xo, int n, float scale, float shift) {
    FloatVector a = all(scale);
    FloatVector b = all(-shift);
    FloatVector even = FloatVector.zero(SPECIES);
    FloatVector odd = even;
    for (int pass = 0; pass < PASSES; pass++) {
      FloatVector sum = FloatVector.zero(SPECIES);
      for (int i = lane(pass); i < n; i += LANES) {
        boolean whole = i + L <= n;
        FloatVector e = exp((whole ? load(x, xo, i) : loadTail(x, xo, i, n)).fma(a, b));
        if (whole) {
          store(e, x, xo, i);
          sum = sum.add(e);
        } else {
          VectorMask<Float> inside = SPECIES.indexInRange(i, n);
          e.intoMemorySegment(x, xo + 4L * i, LITTLE_ENDIAN, inside);
          sum = sum.add(e, inside);
        }
      }
      even = pass == 0 ? sum : pass == 1 ? even.add(sum) : even;
      odd = pass == 2 ? sum : pass == 3 ? odd.add(sum) : odd;
    }
    return VectorMath.fold(PASSES == 4 ? even.add(odd) : even);
  }

  static float max(MemorySegment x, long xo, int n) {
    FloatVector most = all(Float.NEGATIVE_INFINITY);
    int i = 0;
    for (; i + L <= n; i += L) {
      most = most.max(load(x, xo, i));
    }
    if (i < n) {
      VectorMask<Float> inside = SPECIES.indexInRange(i, n);
      most = most.lanewise(VectorOperators.MAX, loadTail(x, xo, i, n), inside);
    }
    return most.reduceLanes(VectorOperators.MAX);
  }

  static double dotDouble(MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    double[] lanes = new double[LANES];
    int whole = n - n % LANES;
    for (int first = 0; first < LANES; first += L) {
      DoubleVector low = DoubleVector.zero(DOUBLES);
      DoubleVector high = DoubleVector.zero(DOUBLES);
      for (int i = first; i < whole; i += LANES) {
        FloatVector a = load(x, xo, i);
        FloatVector b = load(y, yo, i);
        low = widened(a, 0).fma(widened(b, 0), low);
        high = widened(a, 1).fma(widened(b, 1), high);
      }
      low.intoArray(lanes, first);
      high.intoArray(lanes, first + L / 2);
    }
    return ScalarRows.finishDot(x, xo, y, yo, whole, n, lanes);
  }

  /** The lower (0) or upper (1) half of a vector in double. */
  private static DoubleVector widened(FloatVector v, int half) {
    return (DoubleVector) v.convertShape(VectorOperators.F2D, DOUBLES, half);
  }

  static boolean allFinite(MemorySegment x, long xo, int n) {
    FloatVector sum = FloatVector.zero(SPECIES);
    int i = 0;
    for (; i + L <= n; i += L) {
      FloatVector v = load(x, xo, i);
      sum = sum.add(v.sub(v));
    }
    if (i < n) {
      FloatVector v = loadTail(x, xo, i, n);
      sum = sum.add(v.sub(v));
    }
    return sum.compare(VectorOperators.EQ, 0f).allTrue();
  }
}
