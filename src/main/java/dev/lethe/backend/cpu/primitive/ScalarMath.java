package dev.lethe.backend.cpu.primitive;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;

/**
 * Elementary functions in float, written so that {@link VectorRows} can do the same operations in
 * the same order on every lane.
 */
public final class ScalarMath {
  static final float LOG2_E = 1.44269504f;
  static final float LN2_HIGH = 0.693359375f;
  static final float LN2_LOW = -2.12194440e-4f;

  /** Adding it to a small float rounds that to an integer in the low bits: 1.5·2²³. */
  static final float ROUNDER = 12582912f;

  /** exp of less is 0 here, of more is infinite. */
  static final float EXP_LOW = -87.336544f;

  static final float EXP_HIGH = 88.37626f;

  /** Coefficients of r²,… in exp(r) ≈ 1 + r + r²(…), highest first (Cephes). */
  static final float E0 = 1.9875691500e-4f;

  static final float E1 = 1.3981999507e-3f;
  static final float E2 = 8.3334519073e-3f;
  static final float E3 = 4.1665795894e-2f;
  static final float E4 = 1.6666665459e-1f;
  static final float E5 = 5.0000001201e-1f;

  /** Whether a fused multiply-add is one instruction here; in software it would be very slow. */
  public static final boolean FAST_FMA = hasFma();

  private ScalarMath() {}

  /** a·b + c, rounded once where the machine can. */
  static float fma(float a, float b, float c) {
    return FAST_FMA ? Math.fma(a, b, c) : a * b + c;
  }

  /** a·b + c, rounded once where the machine can. */
  static double fma(double a, double b, double c) {
    return FAST_FMA ? Math.fma(a, b, c) : a * b + c;
  }

  /** eˣ to about one unit in the last place. */
  public static float exp(float x) {
    float rounded = fma(x, LOG2_E, ROUNDER);
    float n = rounded - ROUNDER;
    float r = fma(n, -LN2_LOW, fma(n, -LN2_HIGH, x));
    float p = fma(fma(fma(fma(fma(E0, r, E1), r, E2), r, E3), r, E4), r, E5);
    float mantissa = fma(p, r * r, r) + 1f;
    float power = Float.intBitsToFloat((Float.floatToRawIntBits(rounded) << 23) + 0x3F800000);
    float y = mantissa * power;
    y = x < EXP_LOW ? 0f : y;
    return x > EXP_HIGH ? Float.POSITIVE_INFINITY : y;
  }

  /** 1/(1 + e⁻ˣ). */
  static float sigmoid(float x) {
    return 1f / (1f + exp(-x));
  }

  private static boolean hasFma() {
    try {
      HotSpotDiagnosticMXBean vm =
          ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
      return vm != null && Boolean.parseBoolean(vm.getVMOption("UseFMA").getValue());
    } catch (IllegalArgumentException | LinkageError e) {
      return false;
    }
  }
}
