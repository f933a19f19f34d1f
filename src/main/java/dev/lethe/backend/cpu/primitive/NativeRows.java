package dev.lethe.backend.cpu.primitive;

import dev.lethe.backend.cpu.primitive.NormSum.Term;
import dev.lethe.backend.cpu.primitive.RowPrimitives.Run;
import dev.lethe.backend.kernel.VectorKernels.AdamWNumbers;
import java.lang.foreign.MemorySegment;

/** Row arithmetic by the native library ({@code native/cpu/f32_rows.h} and {@code f32_elements.h}). */
final class NativeRows implements RowPrimitives {
  @Override
  public void fill(MemorySegment x, long xo, int n, float value) {
    long ofX = NativeCode.floats(x, xo, n);
    try {
      NativeCode.FILL.invokeExact((long) n, ofX, value);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }

  @Override
  public void copy(MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    MemorySegment.copy(x, xo, y, yo, 4L * n);
  }

  @Override
  public void widen(MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    long ofX = NativeCode.reach(x, xo, 2L * n);
    long ofY = NativeCode.floats(y, yo, n);
    try {
      NativeCode.WIDEN.invokeExact((long) n, ofX, ofY);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }

  @Override
  public void add(
      MemorySegment x, long xo, MemorySegment f, long fo, MemorySegment y, long yo, int n) {
    long ofX = NativeCode.floats(x, xo, n);
    long ofF = NativeCode.floats(f, fo, n);
    long ofY = NativeCode.floats(y, yo, n);
    try {
      NativeCode.ADD.invokeExact((long) n, ofX, ofF, ofY);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }

  @Override
  public void axpby(float a, MemorySegment x, long xo, float b, MemorySegment y, long yo, int n) {
    long ofX = NativeCode.floats(x, xo, n);
    long ofY = NativeCode.floats(y, yo, n);
    try {
      NativeCode.AXPBY.invokeExact((long) n, a, ofX, b, ofY);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }

  @Override
  public void scale(float a, MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    long ofX = NativeCode.floats(x, xo, n);
    long ofY = NativeCode.floats(y, yo, n);
    try {
      NativeCode.SCALE.invokeExact((long) n, a, ofX, ofY);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }

  @Override
  public float dot(MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    long ofX = NativeCode.floats(x, xo, n);
    long ofY = NativeCode.floats(y, yo, n);
    try {
      return (float) NativeCode.DOT.invokeExact((long) n, ofX, ofY);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }

  @Override
  public float dot3(
      MemorySegment x, long xo, MemorySegment y, long yo, MemorySegment z, long zo, int n) {
    long ofX = NativeCode.floats(x, xo, n);
    long ofY = NativeCode.floats(y, yo, n);
    long ofZ = NativeCode.floats(z, zo, n);
    try {
      return (float) NativeCode.DOT3.invokeExact((long) n, ofX, ofY, ofZ);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }

  @Override
  public double dotDouble(MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    long ofX = NativeCode.floats(x, xo, n);
    long ofY = NativeCode.floats(y, yo, n);
    try {
      return (double) NativeCode.Derivatives.DOT_DOUBLE.invokeExact((long) n, ofX, ofY);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }

  @Override
  public float max(MemorySegment x, long xo, int n) {
    if (n <= 0) {
      return Float.NEGATIVE_INFINITY;
    }
    long ofX = NativeCode.floats(x, xo, n);
    try {
      return (float) NativeCode.MAX.invokeExact((long) n, ofX);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }

  @Override
  public float expSum(MemorySegment x, long xo, int n, float scale, float shift) {
    long ofX = NativeCode.floats(x, xo, n);
    try {
      return (float) NativeCode.EXP_SUM.invokeExact((long) n, ofX, scale, shift);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }

  @Override
  public boolean allFinite(MemorySegment x, long xo, int n) {
    long ofX = NativeCode.floats(x, xo, n);
    try {
      return (int) NativeCode.ALL_FINITE.invokeExact((long) n, ofX) != 0;
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }

  @Override
  public boolean allFiniteBf16(MemorySegment x, long xo, long n) {
    long ofX = NativeCode.reach(x, xo, 2 * n);
    try {
      return (int) NativeCode.Bfloat16.FINITE.invokeExact(n, ofX) != 0;
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }

  @Override
  public void normCombine(NormSum sum, MemorySegment y, long yo, int n) {
    Term g1 = sum.g1();
    Term g2 = sum.g2();
    Term s1 = sum.s1();
    Term s2 = sum.s2();
    long ofBase = address(sum.base(), n);
    long ofW = address(sum.w(), n);
    long ofG1 = address(g1, n);
    long ofG2 = address(g2, n);
    long ofS1 = address(s1, n);
    long ofS2 = address(s2, n);
    long ofY = NativeCode.floats(y, yo, n);
    try {
      NativeCode.NORM_COMBINE.invokeExact(
          (long) n, ofBase, ofW, g1.factor(), ofG1, g2.factor(), ofG2, s1.factor(), ofS1, s2.factor(), ofS2, ofY);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }

  private static long address(Run run, int n) {
    return NativeCode.floats(run.segment(), run.offset(), n);
  }

  private static long address(Term term, int n) {
    return NativeCode.floats(term.segment(), term.offset(), n);
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
    long ofP = NativeCode.floats(p, po, n);
    long ofX = NativeCode.floats(x, xo, n);
    long ofY = NativeCode.floats(y, yo, n);
    try {
      NativeCode.Derivatives.WEIGHTED.invokeExact((long) n, a, ofP, ofX, shift, ofY);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
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
    long ofP = NativeCode.floats(p, offset, n);
    long ofDs = NativeCode.floats(ds, offset, n);
    long ofGp = NativeCode.floats(gp, offset, n);
    long ofDp = NativeCode.floats(dp, offset, n);
    try {
      NativeCode.Derivatives.ATTENTION_SECOND.invokeExact((long) n, ofP, ofDs, ofGp, ofDp, c, mu, delta, dDelta);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
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
    long ofX = NativeCode.floats(x, offset, 2 * pairs);
    long ofCos = NativeCode.floats(cos, angles, pairs);
    long ofSin = NativeCode.floats(sin, angles, pairs);
    try {
      NativeCode.ROTATE.invokeExact((long) pairs, ofX, ofCos, ofSin, sign);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
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
    long ofTheta = NativeCode.floats(theta, offset, n);
    long ofG = NativeCode.floats(g, offset, n);
    long ofM = NativeCode.floats(m, offset, n);
    long ofV = NativeCode.floats(v, offset, n);
    try {
      NativeCode.Derivatives.ADAM_W.invokeExact(
          (long) n, ofTheta, ofG, ofM, ofV, step.decay(), step.gain1(), step.beta2(), step.gain2(), step.size(),
          step.rootGain(), step.epsilon());
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }
}
