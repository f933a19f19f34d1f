package dev.lethe.backend.cpu.primitive;

import static dev.lethe.backend.cpu.primitive.VectorMath.L;
import static dev.lethe.backend.cpu.primitive.VectorMath.SPECIES;
import static dev.lethe.backend.cpu.primitive.VectorMath.all;
import static dev.lethe.backend.cpu.primitive.VectorMath.store;

import dev.lethe.backend.cpu.primitive.NormSum.Term;
import dev.lethe.backend.cpu.primitive.RowPrimitives.Run;
import dev.lethe.backend.kernel.VectorKernels.AdamWNumbers;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;

/**
 * Row arithmetic on the Vector API. Whole vectors first, then {@link ScalarRows} for what is left,
 * which does the same operations in the same order.
 *
 * <p>The compiler inlines no more helpers once a method has grown large, and boxes their vectors;
 * methods of the Vector API it inlines always. So long loops call helpers first, and those methods
 * directly in the end.
 */
final class VectorRows implements RowPrimitives {
  private final ScalarRows rest = new ScalarRows();

  @Override
  public void fill(MemorySegment x, long xo, int n, float value) {
    int whole = SPECIES.loopBound(n);
    for (int i = 0; i < whole; i += L) {
      store(all(value), x, xo, i);
    }
    rest.fill(x, xo + 4L * whole, n - whole, value);
  }

  @Override
  public void copy(MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    int whole = SPECIES.loopBound(n);
    for (int i = 0; i < whole; i += L) {
      store(load(x, xo, i), y, yo, i);
    }
    if (whole < n) {
      rest.copy(x, xo + 4L * whole, y, yo + 4L * whole, n - whole);
    }
  }

  @Override
  public void widen(MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    int whole = SPECIES.loopBound(n);
    for (int i = 0; i < whole; i += L) {
      store(VectorMath.loadBfloat16(x, xo, i), y, yo, i);
    }
    rest.widen(x, xo + 2L * whole, y, yo + 4L * whole, n - whole);
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
    int whole = SPECIES.loopBound(n);
    for (int i = 0; i < whole; i += L) {
      store(load(x, xo, i).add(load(f, fo, i)), y, yo, i);
    }
    long at = 4L * whole;
    rest.add(x, xo + at, f, fo + at, y, yo + at, n - whole);
  }

  @Override
  public void axpby(float a, MemorySegment x, long xo, float b, MemorySegment y, long yo, int n) {
    int whole = SPECIES.loopBound(n);
    for (int i = 0; i < whole; i += L) {
      store(all(a).fma(load(x, xo, i), load(y, yo, i).mul(b)), y, yo, i);
    }
    rest.axpby(a, x, xo + 4L * whole, b, y, yo + 4L * whole, n - whole);
  }

  @Override
  public void scale(float a, MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    int whole = SPECIES.loopBound(n);
    for (int i = 0; i < whole; i += L) {
      store(load(x, xo, i).mul(a), y, yo, i);
    }
    rest.scale(a, x, xo + 4L * whole, y, yo + 4L * whole, n - whole);
  }

  @Override
  public float dot(MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    return VectorSums.dot(x, xo, y, yo, n);
  }

  @Override
  public float dot3(
      MemorySegment x, long xo, MemorySegment y, long yo, MemorySegment z, long zo, int n) {
    return VectorSums.dot3(x, xo, y, yo, z, zo, n);
  }

  @Override
  public double dotDouble(MemorySegment x, long xo, MemorySegment y, long yo, int n) {
    return VectorSums.dotDouble(x, xo, y, yo, n);
  }

  @Override
  public float max(MemorySegment x, long xo, int n) {
    return VectorSums.max(x, xo, n);
  }

  @Override
  public float expSum(MemorySegment x, long xo, int n, float scale, float shift) {
    return VectorSums.expSum(x, xo, n, scale, shift);
  }

  @Override
  public boolean allFinite(MemorySegment x, long xo, int n) {
    return VectorSums.allFinite(x, xo, n);
  }

  @Override
  public void normCombine(NormSum sum, MemorySegment y, long yo, int n) {
    Term g1 = sum.g1();
    Term g2 = sum.g2();
    Term s1 = sum.s1();
    Term s2 = sum.s2();
    int whole = SPECIES.loopBound(n);
    for (int i = 0; i < whole; i += L) {
      FloatVector g = all(g1.factor()).fma(load(g1, i), load(g2, i).mul(g2.factor()));
      FloatVector t = load(sum.w(), i).fma(g, load(sum.base(), i));
      store(all(s2.factor()).fma(load(s2, i), all(s1.factor()).fma(load(s1, i), t)), y, yo, i);
    }
    if (whole < n) {
      long at = 4L * whole;
      rest.normCombine(sum.from(at), y, yo + at, n - whole);
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
    int whole = SPECIES.loopBound(n);
    for (int i = 0; i < whole; i += L) {
      store(load(p, po, i).mul(a).mul(load(x, xo, i).sub(shift)), y, yo, i);
    }
    long at = 4L * whole;
    rest.weighted(a, p, po + at, x, xo + at, shift, y, yo + at, n - whole);
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
    int whole = SPECIES.loopBound(n);
    for (int i = 0; i < whole; i += L) {
      FloatVector prob = load(p, offset, i);
      FloatVector dProb = prob.mul(all(c).fma(load(ds, offset, i), all(-mu)));
      FloatVector second = prob.mul(load(dp, offset, i).sub(dDelta));
      store(dProb, ds, offset, i);
      store(dProb.fma(load(gp, offset, i).sub(delta), second), dp, offset, i);
    }
    rest.attentionSecond(
        p, ds, gp, dp, offset + 4L * whole, n - whole, c, mu, delta, dDelta);
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
    long second = 4L * pairs;
    int whole = SPECIES.loopBound(pairs);
    for (int i = 0; i < whole; i += L) {
      FloatVector c = load(cos, angles, i);
      FloatVector s = load(sin, angles, i).mul(sign);
      FloatVector x1 = load(x, offset, i);
      FloatVector x2 = load(x, offset + second, i);
      store(x1.fma(c, x2.mul(s).neg()), x, offset, i);
      store(x2.fma(c, x1.mul(s)), x, offset + second, i);
    }
    rest.rotate(x, offset, cos, sin, angles, whole, pairs, sign);
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
    int whole = SPECIES.loopBound(n);
    for (int i = 0; i < whole; i += L) {
      FloatVector gi = load(g, offset, i);
      FloatVector mi = load(m, offset, i);
      mi = all(step.gain1()).fma(gi.sub(mi), mi);
      FloatVector vi = gi.mul(step.gain2()).fma(gi, load(v, offset, i).mul(step.beta2()));
      FloatVector root = vi.sqrt().fma(all(step.rootGain()), all(step.epsilon()));
      FloatVector decayed = load(theta, offset, i).mul(step.decay());
      store(mi, m, offset, i);
      store(vi, v, offset, i);
      store(all(-step.size()).fma(mi.div(root), decayed), theta, offset, i);
    }
    rest.adamW(step, theta, g, m, v, offset + 4L * whole, n - whole);
  }

  private static FloatVector load(Run run, int i) {
    return VectorMath.load(run.segment(), run.offset(), i);
  }

  private static FloatVector load(Term term, int i) {
    return VectorMath.load(term.segment(), term.offset(), i);
  }

  private static FloatVector load(MemorySegment s, long offset, int i) {
    return VectorMath.load(s, offset, i);
  }
}
