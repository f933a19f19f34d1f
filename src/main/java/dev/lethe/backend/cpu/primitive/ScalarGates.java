package dev.lethe.backend.cpu.primitive;

import static dev.lethe.backend.cpu.primitive.ScalarMath.exp;
import static dev.lethe.backend.cpu.primitive.ScalarMath.fma;
import static dev.lethe.backend.cpu.primitive.ScalarMath.sigmoid;

import dev.lethe.backend.kernel.operand.Nonlinearity;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Gated units in plain Java: the meaning of {@link GatePrimitives}. */
final class ScalarGates implements GatePrimitives {
  /** Beyond it σ(w), Φ and φ are 0 or 1 in floats; a is cut there before it is squared. */
  static final float FAR = 30f;

  static final float SLOPE = (float) Nonlinearity.SLOPE;
  static final float SLOPE_3 = (float) (Nonlinearity.SLOPE * Nonlinearity.CUBIC);
  static final float ROOT_HALF = 0.70710678f;
  static final float ROOT_2_PI = 0.39894228f;

  /**
   * erfc(z) = t·exp(−z² + polynomial in t) with t = 1/(1 + z/2), z ≥ 0, to a relative 1.2·10⁻⁷; highest first. Press et
   * al., Numerical Recipes, 6.2.
   */
  static final float[] ERFC = {
    0.17087277f, -0.82215223f, 1.48851587f, -1.13520398f, 0.27886807f, -0.18628806f, 0.09678418f,
    0.37409196f, 1.00002368f, -1.26551223f
  };

  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  @Override
  public void derivatives(
      Nonlinearity nonlinearity, int order, MemorySegment a, long ao, MemorySegment f, long fo, int n) {
    for (int i = 0; i < n; i++) {
      float x = get(a, ao, i);
      switch (nonlinearity) {
        case SILU -> silu(order, x, f, fo, i);
        case GELU -> gelu(order, x, f, fo, i);
        case GELU_TANH -> geluTanh(order, x, f, fo, i);
      }
    }
  }

  private static void silu(int order, float x, MemorySegment f, long fo, int i) {
    float s = sigmoid(x);
    float t = 1f - s;
    set(f, fo, i, x * s);
    if (order > 0) {
      set(f, first(fo), i, s * fma(x, t, 1f));
    }
    if (order > 1) {
      set(f, second(fo), i, s * t * fma(x, t - s, 2f));
    }
  }

  private static void gelu(int order, float x, MemorySegment f, long fo, int i) {
    float a = near(x);
    float z = Math.abs(a) * ROOT_HALF;
    float t = 1f / fma(z, .5f, 1f);
    float p = ERFC[0];
    for (int j = 1; j < ERFC.length; j++) {
      p = fma(p, t, ERFC[j]);
    }
    float tail = .5f * t * exp(fma(-z, z, p));
    float below = a < 0 ? tail : 1f - tail;
    set(f, fo, i, x * below);
    float density = exp(-(z * z)) * ROOT_2_PI;
    if (order > 0) {
      set(f, first(fo), i, fma(a, density, below));
    }
    if (order > 1) {
      set(f, second(fo), i, fma(-a, a, 2f) * density);
    }
  }

  private static void geluTanh(int order, float x, MemorySegment f, long fo, int i) {
    float a = near(x);
    float square = a * a;
    float w = a * fma(square, SLOPE_3, SLOPE);
    float e = exp(-Math.abs(w));
    float larger = 1f / (1f + e);
    float smaller = e * larger;
    float s = w < 0 ? smaller : larger;
    float t = w < 0 ? larger : smaller;
    set(f, fo, i, x * s);
    float w1 = fma(square, 3 * SLOPE_3, SLOPE);
    float s1 = s * t;
    if (order > 0) {
      set(f, first(fo), i, fma(a * w1, s1, s));
    }
    if (order > 1) {
      float bend = fma(w1 * w1, t - s, a * (6 * SLOPE_3));
      set(f, second(fo), i, s1 * fma(a, bend, 2 * w1));
    }
  }

  /** x within ±{@link #FAR}. */
  private static float near(float x) {
    float above = x < -FAR ? -FAR : x;
    return above > FAR ? FAR : above;
  }

  @Override
  public void gate(
      MemorySegment f, long fo, MemorySegment b, long bo, MemorySegment h, long ho, int n) {
    for (int i = 0; i < n; i++) {
      set(h, ho, i, get(f, fo, i) * get(b, bo, i));
    }
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
    for (int i = 0; i < n; i++) {
      float through = get(f, first(fo), i) * get(b, bo, i);
      set(dh, dho, i, fma(through, get(da, dao, i), get(f, fo, i) * get(db, dbo, i)));
    }
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
    for (int i = 0; i < n; i++) {
      float g = get(gh, gho, i);
      set(ga, gao, i, g * get(b, bo, i) * get(f, first(fo), i));
      set(gb, gbo, i, g * get(f, fo, i));
    }
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
    for (int i = 0; i < n; i++) {
      float y = get(b, bo, i);
      float g = get(gh, gho, i);
      float dx = get(da, dao, i);
      float dg = get(dgh, dgho, i);
      float first = get(f, first(fo), i);
      float linear = fma(dg, y, g * get(db, dbo, i));
      set(dga, dgao, i, fma(linear, first, g * y * (get(f, second(fo), i) * dx)));
      set(dgb, dgbo, i, fma(dg, get(f, fo, i), g * (first * dx)));
    }
  }

  /** Where f′ begins. */
  static long first(long fo) {
    return fo + 4L * RUN;
  }

  /** Where f″ begins. */
  static long second(long fo) {
    return fo + 8L * RUN;
  }

  private static float get(MemorySegment s, long offset, int i) {
    return s.get(FLOAT, offset + 4L * i);
  }

  private static void set(MemorySegment s, long offset, int i, float value) {
    s.set(FLOAT, offset + 4L * i, value);
  }
}
