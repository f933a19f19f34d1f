package dev.lethe.backend.cpu;

import static dev.lethe.backend.cpu.RowPrimitives.LANES;
import static dev.lethe.backend.cpu.VectorMath.L;
import static dev.lethe.backend.cpu.VectorMath.SPECIES;
import static dev.lethe.backend.cpu.VectorMath.all;
import static dev.lethe.backend.cpu.VectorMath.exp;
import static dev.lethe.backend.cpu.VectorMath.load;
import static dev.lethe.backend.cpu.VectorMath.loadTail;
import static dev.lethe.backend.cpu.VectorMath.store;
import static java.nio.ByteOrder.LITTLE_ENDIAN;

import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.DoubleVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Sums over a run. The 16 virtual lanes are taken in passes of as many lanes as a register has:
 * one pass over the run with 512 bits, two with 256, four with 128.
 */
final class VectorSums {
  private static final VectorSpecies<Double> DOUBLES = DoubleVector.SPECIES_PREFERRED;

  private VectorSums() {}

  static float dot(MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    FloatVector sum = dotPass(x, xo, y, yo, n, 0);
    if (L == 8) {
      sum = sum.add(dotPass(x, xo, y, yo, n, 8));
    }
    if (L == 4) {
      FloatVector even = sum.add(dotPass(x, xo, y, yo, n, 8));
      sum = even.add(dotPass(x, xo, y, yo, n, 4).add(dotPass(x, xo, y, yo, n, 12)));
    }
    return VectorMath.fold(sum);
  }

  private static FloatVector dotPass(
      MemorySegment x, long xo, MemorySegment y, long yo, int n, int first) {
    FloatVector sum = FloatVector.zero(SPECIES);
    int i = first;
    for (; i + L <= n; i += LANES) {
      sum = load(x, xo, i).fma(load(y, yo, i), sum);
    }
    return i < n ? loadTail(x, xo, i, n).fma(loadTail(y, yo, i, n), sum) : sum;
  }

  static float dot3(
      MemorySegment x, long xo, MemorySegment y, long yo, MemorySegment z, long zo, int n) {
    FloatVector sum = dot3Pass(x, xo, y, yo, z, zo, n, 0);
    if (L == 8) {
      sum = sum.add(dot3Pass(x, xo, y, yo, z, zo, n, 8));
    }
    if (L == 4) {
      FloatVector even = sum.add(dot3Pass(x, xo, y, yo, z, zo, n, 8));
      sum = even.add(dot3Pass(x, xo, y, yo, z, zo, n, 4).add(dot3Pass(x, xo, y, yo, z, zo, n, 12)));
    }
    return VectorMath.fold(sum);
  }

  private static FloatVector dot3Pass(
      MemorySegment x,
      long xo,
      MemorySegment y,
      long yo,
      MemorySegment z,
      long zo,
      int n,
      int first) {
    FloatVector sum = FloatVector.zero(SPECIES);
    int i = first;
    for (; i + L <= n; i += LANES) {
      sum = load(x, xo, i).mul(load(y, yo, i)).fma(load(z, zo, i), sum);
    }
    if (i < n) {
      FloatVector xy = loadTail(x, xo, i, n).mul(loadTail(y, yo, i, n));
      sum = xy.fma(loadTail(z, zo, i, n), sum);
    }
    return sum;
  }

  static float expSum(MemorySegment x, long xo, int n, float scale, float shift) {
    FloatVector sum = expSumPass(x, xo, n, scale, shift, 0);
    if (L == 8) {
      sum = sum.add(expSumPass(x, xo, n, scale, shift, 8));
    }
    if (L == 4) {
      FloatVector even = sum.add(expSumPass(x, xo, n, scale, shift, 8));
      FloatVector odd = expSumPass(x, xo, n, scale, shift, 4);
      sum = even.add(odd.add(expSumPass(x, xo, n, scale, shift, 12)));
    }
    return VectorMath.fold(sum);
  }

  private static FloatVector expSumPass(
      MemorySegment x, long xo, int n, float scale, float shift, int first) {
    FloatVector a = all(scale);
    FloatVector b = all(-shift);
    FloatVector sum = FloatVector.zero(SPECIES);
    int i = first;
    for (; i + L <= n; i += LANES) {
      FloatVector e = exp(load(x, xo, i).fma(a, b));
      store(e, x, xo, i);
      sum = sum.add(e);
    }
    if (i < n) {
      VectorMask<Float> inside = SPECIES.indexInRange(i, n);
      FloatVector e = exp(loadTail(x, xo, i, n).fma(a, b));
      e.intoMemorySegment(x, xo + 4L * i, LITTLE_ENDIAN, inside);
      sum = sum.add(e, inside);
    }
    return sum;
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
