package dev.lethe.backend.cpu.primitive;

import java.lang.foreign.MemorySegment;

/** Row arithmetic by the native library. What plain Java does as fast is that of Java. */
record NativeRows(RowPrimitives java) implements RowPrimitives {
  @Override
  public void fill(MemorySegment x, long xo, int n, float value) {
    java.fill(x, xo, n, value);
  }

  @Override
  public void copy(MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    java.copy(x, xo, y, yo, n);
  }

  @Override
  public void widen(MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    long ofX = NativeCode.reach(x, xo, 2L * n);
    long ofY = NativeCode.reach(y, yo, 4L * n);
    try {
      NativeCode.WIDEN.invokeExact((long) n, ofX, ofY);
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  @Override
  public void add(
      MemorySegment x, long xo, MemorySegment f, long fo, MemorySegment y, long yo, int n) {
    java.add(x, xo, f, fo, y, yo, n);
  }

  @Override
  public void axpby(float a, MemorySegment x, long xo, float b, MemorySegment y, long yo, int n) {
    long ofX = NativeCode.reach(x, xo, 4L * n);
    long ofY = NativeCode.reach(y, yo, 4L * n);
    try {
      NativeCode.Training.AXPBY.invokeExact((long) n, a, ofX, b, ofY);
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  @Override
  public void scale(float a, MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    java.scale(a, x, xo, y, yo, n);
  }

  @Override
  public float dot(MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    long ofX = NativeCode.reach(x, xo, 4L * n);
    long ofY = NativeCode.reach(y, yo, 4L * n);
    try {
      return (float) NativeCode.DOT.invokeExact((long) n, ofX, ofY);
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  @Override
  public float dot3(
      MemorySegment x, long xo, MemorySegment y, long yo, MemorySegment z, long zo, int n) {
    long ofX = NativeCode.reach(x, xo, 4L * n);
    long ofY = NativeCode.reach(y, yo, 4L * n);
    long ofZ = NativeCode.reach(z, zo, 4L * n);
    try {
      return (float) NativeCode.Training.DOT3.invokeExact((long) n, ofX, ofY, ofZ);
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  @Override
  public double dotDouble(MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    long ofX = NativeCode.reach(x, xo, 4L * n);
    long ofY = NativeCode.reach(y, yo, 4L * n);
    try {
      return (double) NativeCode.Training.DOT_DOUBLE.invokeExact((long) n, ofX, ofY);
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  @Override
  public float max(MemorySegment x, long xo, int n) {
    if (n <= 0) {
      return Float.NEGATIVE_INFINITY;
    }
    long at = NativeCode.reach(x, xo, 4L * n);
    try {
      return (float) NativeCode.MAX.invokeExact((long) n, at);
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  @Override
  public float expSum(MemorySegment x, long xo, int n, float scale, float shift) {
    long at = NativeCode.reach(x, xo, 4L * n);
    try {
      return (float) NativeCode.EXP_SUM.invokeExact((long) n, at, scale, shift);
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  @Override
  public boolean allFinite(MemorySegment x, long xo, int n) {
    long ofX = NativeCode.reach(x, xo, 4L * n);
    try {
      return (int) NativeCode.ALL_FINITE.invokeExact((long) n, ofX) != 0;
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  @Override
  public void normCombine(NormSum sum, MemorySegment y, long yo, int n) {
    long bytes = 4L * n;
    long base = NativeCode.reach(sum.base().segment(), sum.base().offset(), bytes);
    long w = NativeCode.reach(sum.w().segment(), sum.w().offset(), bytes);
    long ofY = NativeCode.reach(y, yo, bytes);
    try {
      NativeCode.NORM_COMBINE.invokeExact(
          (long) n, base, w, sum.g1().factor(), reach(sum.g1(), bytes), sum.g2().factor(), reach(sum.g2(), bytes),
          sum.s1().factor(), reach(sum.s1(), bytes), sum.s2().factor(), reach(sum.s2(), bytes), ofY);
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
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
    long ofP = NativeCode.reach(p, po, 4L * n);
    long ofX = NativeCode.reach(x, xo, 4L * n);
    long ofY = NativeCode.reach(y, yo, 4L * n);
    try {
      NativeCode.Training.WEIGHTED.invokeExact((long) n, a, ofP, ofX, shift, ofY);
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
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
    long ofP = NativeCode.reach(p, offset, 4L * n);
    long ofDs = NativeCode.reach(ds, offset, 4L * n);
    long ofGp = NativeCode.reach(gp, offset, 4L * n);
    long ofDp = NativeCode.reach(dp, offset, 4L * n);
    try {
      NativeCode.Training.ATTENTION_SECOND.invokeExact(
          (long) n, ofP, ofDs, ofGp, ofDp, c, mu, delta, dDelta);
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  @Override
  public void rotate(
      MemorySegment x,
      long xo,
      MemorySegment y,
      long yo,
      MemorySegment cos,
      MemorySegment sin,
      long angles,
      int half,
      float sign) {
    java.rotate(x, xo, y, yo, cos, sin, angles, half, sign);
  }

  @Override
  public void adamW(
      AdamWStep step,
      MemorySegment theta,
      MemorySegment g,
      MemorySegment m,
      MemorySegment v,
      long offset,
      int n) {
    long bytes = 4L * n;
    long ofTheta = NativeCode.reach(theta, offset, bytes);
    long ofG = NativeCode.reach(g, offset, bytes);
    long ofM = NativeCode.reach(m, offset, bytes);
    long ofV = NativeCode.reach(v, offset, bytes);
    try {
      NativeCode.Training.ADAMW.invokeExact(
          (long) n, step.decay(), step.gain1(), step.beta2(), step.gain2(), step.size(), step.rootGain(),
          step.epsilon(), ofTheta, ofG, ofM, ofV);
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  private static long reach(NormSum.Term term, long bytes) {
    return NativeCode.reach(term.segment(), term.offset(), bytes);
  }
}
