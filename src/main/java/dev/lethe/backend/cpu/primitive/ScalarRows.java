package dev.lethe.backend.cpu.primitive;

import static dev.lethe.backend.cpu.primitive.ScalarMath.exp;
import static dev.lethe.backend.cpu.primitive.ScalarMath.fma;

import dev.lethe.backend.cpu.primitive.NormSum.Term;
import dev.lethe.backend.cpu.primitive.RowPrimitives.Run;
import dev.lethe.backend.kernel.VectorKernels.AdamWNumbers;
import dev.lethe.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * Row arithmetic in plain Java: the meaning of {@link RowPrimitives}, operation by operation. Long because there are as
 * many of them.
 */
final class ScalarRows implements RowPrimitives {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final ValueLayout.OfShort BFLOAT16 =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  @Override
  public void fill(MemorySegment x, long xo, int n, float value) {
    for (int i = 0; i < n; i++) {
      set(x, xo, i, value);
    }
  }

  @Override
  public void copy(MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    MemorySegment.copy(x, xo, y, yo, 4L * n);
  }

  @Override
  public void widen(MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    for (int i = 0; i < n; i++) {
      set(y, yo, i, DType.bf16ToFloat(x.get(BFLOAT16, xo + 2L * i)));
    }
  }

  @Override
  public void add(
      MemorySegment x,
      long xo,
      MemorySegment f,
      long fo,
      MemorySegment y,
      long yo,
      int n) {
    for (int i = 0; i < n; i++) {
      set(y, yo, i, get(x, xo, i) + get(f, fo, i));
    }
  }

  @Override
  public void axpby(float a, MemorySegment x, long xo, float b, MemorySegment y, long yo, int n) {
    for (int i = 0; i < n; i++) {
      set(y, yo, i, fma(a, get(x, xo, i), b * get(y, yo, i)));
    }
  }

  @Override
  public void scale(float a, MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    for (int i = 0; i < n; i++) {
      set(y, yo, i, a * get(x, xo, i));
    }
  }

  @Override
  public float dot(MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    float[] lanes = new float[LANES];
    for (int i = 0; i < n; i++) {
      int lane = i % LANES;
      lanes[lane] = fma(get(x, xo, i), get(y, yo, i), lanes[lane]);
    }
    return fold(lanes, 0);
  }

  @Override
  public float dot3(
      MemorySegment x, long xo, MemorySegment y, long yo, MemorySegment z, long zo, int n) {
    float[] lanes = new float[LANES];
    for (int i = 0; i < n; i++) {
      int lane = i % LANES;
      lanes[lane] = fma(get(x, xo, i) * get(y, yo, i), get(z, zo, i), lanes[lane]);
    }
    return fold(lanes, 0);
  }

  @Override
  public double dotDouble(MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    return finishDot(x, xo, y, yo, 0, n, new double[LANES]);
  }

  /** Adds the products from element {@code first} on to their lanes, and folds those. */
  static double finishDot(
      MemorySegment x, long xo, MemorySegment y, long yo, int first, int n, double[] lanes) {
    for (int i = first; i < n; i++) {
      int lane = i % LANES;
      lanes[lane] = fma((double) get(x, xo, i), (double) get(y, yo, i), lanes[lane]);
    }
    for (int half = LANES / 2; half > 0; half /= 2) {
      for (int j = 0; j < half; j++) {
        lanes[j] += lanes[j + half];
      }
    }
    return lanes[0];
  }

  @Override
  public float max(MemorySegment x, long xo, int n) {
    float max = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < n; i++) {
      max = Math.max(max, get(x, xo, i));
    }
    return max;
  }

  @Override
  public float expSum(MemorySegment x, long xo, int n, float scale, float shift) {
    float[] lanes = new float[LANES];
    for (int i = 0; i < n; i++) {
      float e = exp(fma(get(x, xo, i), scale, -shift));
      set(x, xo, i, e);
      lanes[i % LANES] += e;
    }
    return fold(lanes, 0);
  }

  @Override
  public boolean allFinite(MemorySegment x, long xo, int n) {
    for (int i = 0; i < n; i++) {
      if (!Float.isFinite(get(x, xo, i))) {
        return false;
      }
    }
    return true;
  }

  @Override
  public void normCombine(NormSum sum, MemorySegment y, long yo, int n) {
    for (int i = 0; i < n; i++) {
      float g = fma(sum.g1().factor(), get(sum.g1(), i), sum.g2().factor() * get(sum.g2(), i));
      float t = fma(get(sum.w(), i), g, get(sum.base(), i));
      t = fma(sum.s1().factor(), get(sum.s1(), i), t);
      set(y, yo, i, fma(sum.s2().factor(), get(sum.s2(), i), t));
    }
  }

  @Override
  public void weighted(
      float a,
      MemorySegment p,
      long po,
      MemorySegment x,
      long xo,
      float shift,
      MemorySegment y,
      long yo,
      int n) {
    for (int i = 0; i < n; i++) {
      set(y, yo, i, a * get(p, po, i) * (get(x, xo, i) - shift));
    }
  }

  @Override
  public void attentionSecond(
      MemorySegment p,
      MemorySegment ds,
      MemorySegment gp,
      MemorySegment dp,
      long offset,
      int n,
      float c,
      float mu,
      float delta,
      float dDelta) {
    for (int i = 0; i < n; i++) {
      float prob = get(p, offset, i);
      float dProb = prob * fma(c, get(ds, offset, i), -mu);
      float second = prob * (get(dp, offset, i) - dDelta);
      set(ds, offset, i, dProb);
      set(dp, offset, i, fma(dProb, get(gp, offset, i) - delta, second));
    }
  }

  @Override
  public void rotate(
      MemorySegment x,
      long offset,
      MemorySegment cos,
      MemorySegment sin,
      long angles,
      int pairs,
      float sign) {
    rotate(x, offset, cos, sin, angles, 0, pairs, sign);
  }

  /** As the other, from pair {@code first} on. */
  void rotate(
      MemorySegment x,
      long offset,
      MemorySegment cos,
      MemorySegment sin,
      long angles,
      int first,
      int pairs,
      float sign) {
    long second = 4L * pairs;
    for (int i = first; i < pairs; i++) {
      float c = get(cos, angles, i);
      float s = sign * get(sin, angles, i);
      float x1 = get(x, offset, i);
      float x2 = get(x, offset + second, i);
      set(x, offset, i, fma(x1, c, -(x2 * s)));
      set(x, offset + second, i, fma(x2, c, x1 * s));
    }
  }

  @Override
  public void adamW(
      AdamWNumbers step,
      MemorySegment theta,
      MemorySegment g,
      MemorySegment m,
      MemorySegment v,
      long offset,
      int n) {
    for (int i = 0; i < n; i++) {
      float gi = get(g, offset, i);
      float mi = get(m, offset, i);
      mi = fma(step.gain1(), gi - mi, mi);
      float vi = fma(step.gain2() * gi, gi, step.beta2() * get(v, offset, i));
      float root = fma((float) Math.sqrt(vi), step.rootGain(), step.epsilon());
      set(m, offset, i, mi);
      set(v, offset, i, vi);
      set(theta, offset, i, fma(-step.size(), mi / root, step.decay() * get(theta, offset, i)));
    }
  }

  static float fold(float[] lanes, int first) {
    for (int half = LANES / 2; half > 0; half /= 2) {
      for (int j = first; j < first + half; j++) {
        lanes[j] += lanes[j + half];
      }
    }
    return lanes[first];
  }

  private static float get(Run run, int i) {
    return get(run.segment(), run.offset(), i);
  }

  private static float get(Term term, int i) {
    return get(term.segment(), term.offset(), i);
  }

  private static float get(MemorySegment s, long offset, int i) {
    return s.get(FLOAT, offset + 4L * i);
  }

  private static void set(MemorySegment s, long offset, int i, float value) {
    s.set(FLOAT, offset + 4L * i, value);
  }
}
