package dev.lethe.backend.cpu.primitive;

import static dev.lethe.backend.cpu.primitive.ScalarGates.first;
import static dev.lethe.backend.cpu.primitive.ScalarGates.second;
import static dev.lethe.backend.cpu.primitive.VectorMath.L;
import static dev.lethe.backend.cpu.primitive.VectorMath.SPECIES;
import static dev.lethe.backend.cpu.primitive.VectorMath.all;
import static dev.lethe.backend.cpu.primitive.VectorMath.exp;
import static dev.lethe.backend.cpu.primitive.VectorMath.load;
import static dev.lethe.backend.cpu.primitive.VectorMath.sigmoid;
import static dev.lethe.backend.cpu.primitive.VectorMath.store;
import static jdk.incubator.vector.VectorOperators.GT;
import static jdk.incubator.vector.VectorOperators.LT;

import dev.lethe.backend.kernel.operand.Nonlinearity;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * Gated units on the Vector API: whole vectors first, then {@link ScalarGates} for what is left, which does the same
 * operations in the same order.
 */
final class VectorGates implements GatePrimitives {
  private static final float FAR = ScalarGates.FAR;

  private final ScalarGates rest = new ScalarGates();

  @Override
  public void derivatives(
      Nonlinearity nonlinearity, int order, MemorySegment a, long ao, MemorySegment f, long fo, int n) {
    int whole = SPECIES.loopBound(n);
    switch (nonlinearity) {
      case SILU -> silu(order, a, ao, f, fo, whole);
      case GELU -> gelu(order, a, ao, f, fo, whole);
      case GELU_TANH -> geluTanh(order, a, ao, f, fo, whole);
    }
    long at = 4L * whole;
    rest.derivatives(nonlinearity, order, a, ao + at, f, fo + at, n - whole);
  }

  private static void silu(
      int order, MemorySegment a, long ao, MemorySegment f, long fo, int whole) {
    FloatVector one = all(1f);
    for (int i = 0; i < whole; i += L) {
      FloatVector x = load(a, ao, i);
      FloatVector s = sigmoid(x);
      store(x.mul(s), f, fo, i);
      if (order > 0) {
        FloatVector t = one.sub(s);
        store(s.mul(x.fma(t, one)), f, first(fo), i);
        if (order > 1) {
          store(s.mul(t).mul(x.fma(t.sub(s), all(2f))), f, second(fo), i);
        }
      }
    }
  }

  private static void gelu(
      int order, MemorySegment a, long ao, MemorySegment f, long fo, int whole) {
    for (int i = 0; i < whole; i += L) {
      FloatVector x = load(a, ao, i);
      FloatVector near = near(x);
      FloatVector z = near.abs().mul(ScalarGates.ROOT_HALF);
      FloatVector t = all(1f).div(z.fma(all(.5f), all(1f)));
      FloatVector tail = t.mul(.5f).mul(exp(z.neg().fma(z, erfcPolynomial(t))));
      VectorMask<Float> negative = near.compare(LT, 0f);
      FloatVector below = all(1f).sub(tail).blend(tail, negative);
      store(x.mul(below), f, fo, i);
      if (order > 0) {
        FloatVector density = exp(z.mul(z).neg()).mul(ScalarGates.ROOT_2_PI);
        store(near.fma(density, below), f, first(fo), i);
        if (order > 1) {
          store(near.neg().fma(near, all(2f)).mul(density), f, second(fo), i);
        }
      }
    }
  }

  private static FloatVector erfcPolynomial(FloatVector t) {
    FloatVector p = all(ScalarGates.ERFC[0]);
    for (int j = 1; j < ScalarGates.ERFC.length; j++) {
      p = p.fma(t, all(ScalarGates.ERFC[j]));
    }
    return p;
  }

  private static void geluTanh(
      int order, MemorySegment a, long ao, MemorySegment f, long fo, int whole) {
    FloatVector slope = all(ScalarGates.SLOPE);
    FloatVector one = all(1f);
    for (int i = 0; i < whole; i += L) {
      FloatVector x = load(a, ao, i);
      FloatVector near = near(x);
      FloatVector square = near.mul(near);
      FloatVector w = near.mul(square.fma(all(ScalarGates.SLOPE_3), slope));
      FloatVector e = exp(w.abs().neg());
      FloatVector larger = one.div(e.add(1f));
      FloatVector smaller = e.mul(larger);
      VectorMask<Float> negative = w.compare(LT, 0f);
      FloatVector s = larger.blend(smaller, negative);
      store(x.mul(s), f, fo, i);
      if (order > 0) {
        FloatVector t = smaller.blend(larger, negative);
        FloatVector w1 = square.fma(all(3 * ScalarGates.SLOPE_3), slope);
        FloatVector s1 = s.mul(t);
        store(near.mul(w1).fma(s1, s), f, first(fo), i);
        if (order > 1) {
          FloatVector bend = w1.mul(w1).fma(t.sub(s), near.mul(6 * ScalarGates.SLOPE_3));
          store(s1.mul(near.fma(bend, w1.mul(2f))), f, second(fo), i);
        }
      }
    }
  }

  private static FloatVector near(FloatVector x) {
    return x.blend(-FAR, x.compare(LT, -FAR)).blend(FAR, x.compare(GT, FAR));
  }

  @Override
  public void gate(
      MemorySegment f, long fo, MemorySegment b, long bo, MemorySegment h, long ho, int n) {
    int whole = SPECIES.loopBound(n);
    for (int i = 0; i < whole; i += L) {
      store(load(f, fo, i).mul(load(b, bo, i)), h, ho, i);
    }
    long at = 4L * whole;
    rest.gate(f, fo + at, b, bo + at, h, ho + at, n - whole);
  }

  @Override
  public void gateTangent(
      MemorySegment f,
      long fo,
      MemorySegment b,
      long bo,
      MemorySegment da,
      long dao,
      MemorySegment db,
      long dbo,
      MemorySegment dh,
      long dho,
      int n) {
    int whole = SPECIES.loopBound(n);
    for (int i = 0; i < whole; i += L) {
      FloatVector through = load(f, first(fo), i).mul(load(b, bo, i));
      FloatVector gated = load(f, fo, i).mul(load(db, dbo, i));
      store(through.fma(load(da, dao, i), gated), dh, dho, i);
    }
    long at = 4L * whole;
    rest.gateTangent(
        f, fo + at, b, bo + at, da, dao + at, db, dbo + at, dh, dho + at, n - whole);
  }

  @Override
  public void gateBackward(
      MemorySegment f,
      long fo,
      MemorySegment b,
      long bo,
      MemorySegment gh,
      long gho,
      MemorySegment ga,
      long gao,
      MemorySegment gb,
      long gbo,
      int n) {
    int whole = SPECIES.loopBound(n);
    for (int i = 0; i < whole; i += L) {
      FloatVector g = load(gh, gho, i);
      store(g.mul(load(b, bo, i)).mul(load(f, first(fo), i)), ga, gao, i);
      store(g.mul(load(f, fo, i)), gb, gbo, i);
    }
    long at = 4L * whole;
    rest.gateBackward(
        f, fo + at, b, bo + at, gh, gho + at, ga, gao + at, gb, gbo + at, n - whole);
  }

  @Override
  public void gateBackwardTangent(
      MemorySegment f,
      long fo,
      MemorySegment b,
      long bo,
      MemorySegment gh,
      long gho,
      MemorySegment da,
      long dao,
      MemorySegment db,
      long dbo,
      MemorySegment dgh,
      long dgho,
      MemorySegment dga,
      long dgao,
      MemorySegment dgb,
      long dgbo,
      int n) {
    int whole = SPECIES.loopBound(n);
    for (int i = 0; i < whole; i += L) {
      FloatVector y = load(b, bo, i);
      FloatVector g = load(gh, gho, i);
      FloatVector dx = load(da, dao, i);
      FloatVector dg = load(dgh, dgho, i);
      FloatVector first = load(f, first(fo), i);
      FloatVector second = load(f, second(fo), i);
      FloatVector linear = dg.fma(y, g.mul(load(db, dbo, i)));
      FloatVector value = load(f, fo, i);
      store(linear.fma(first, g.mul(y).mul(second.mul(dx))), dga, dgao, i);
      store(dg.fma(value, g.mul(first.mul(dx))), dgb, dgbo, i);
    }
    long at = 4L * whole;
    rest.gateBackwardTangent(
        f, fo + at, b, bo + at, gh, gho + at, da, dao + at, db, dbo + at, dgh, dgho + at, dga,
        dgao + at, dgb, dgbo + at, n - whole);
  }
}
