package dev.lethe.tensor;

import java.lang.foreign.MemorySegment;

/**
 * NF4, the four bits of QLoRA (Dettmers and others 2023, appendix E) as bitsandbytes stores them, 64 numbers a block
 * and the block's largest magnitude in front: {@code f32 absmax; u4 q[64]}, x = code[q]·absmax, rounded to the format
 * that the weight had before. A byte holds two neighbouring numbers, the first in its upper half.
 */
public final class NormalFloat extends BlockFormat {
  /** The 16 numbers of the code, equally likely under a normal distribution. */
  private static final float[] CODE = {
    -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
    -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0.0f,
    0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
    0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f
  };

  private static final int BLOCK = 64;
  private static final int HEAD = 4;

  private final Rounding rounding;

  /** What an expanded number is rounded to. */
  enum Rounding {
    FLOAT32 {
      @Override
      float round(float x) {
        return x;
      }
    },
    FLOAT16 {
      @Override
      float round(float x) {
        return Float.float16ToFloat(Float.floatToFloat16(x));
      }
    },
    BFLOAT16 {
      @Override
      float round(float x) {
        return DType.bf16ToFloat(DType.floatToBf16(x));
      }
    };

    abstract float round(float x);
  }

  NormalFloat(Rounding rounding) {
    super(BLOCK, HEAD + BLOCK / 2);
    this.rounding = rounding;
  }

  /** The 16 numbers of the code, in order. */
  public static float[] code() {
    return CODE.clone();
  }

  /**
   * Rounds numbers to what NF4 keeps of them, in blocks of 64 in their order, as bitsandbytes packs a weight and expands
   * it to float32: the nearest code of x/absmax times absmax, the lower code of a pair where x lies in the middle.
   */
  public static void round(Tensor numbers) {
    long n = numbers.elements();
    for (long first = 0; first < n; first += BLOCK) {
      long last = Math.min(n, first + BLOCK);
      float absmax = 0;
      for (long i = first; i < last; i++) {
        absmax = Math.max(absmax, Math.abs((float) numbers.get(i)));
      }
      for (long i = first; i < last && absmax > 0; i++) {
        numbers.set(i, nearest((float) numbers.get(i) / absmax) * absmax);
      }
    }
  }

  private static float nearest(float x) {
    int q = 0;
    while (q < CODE.length - 1 && x > 0.5f * (CODE[q] + CODE[q + 1])) {
      q++;
    }
    return CODE[q];
  }

  @Override
  public boolean finite(MemorySegment from, long block) {
    return Float.isFinite(rounding.round(from.get(FLOAT, block)));
  }

  @Override
  void expandRun(MemorySegment from, long block, int run, MemorySegment to, long offset) {
    float absmax = from.get(FLOAT, block);
    float[] values = new float[CODE.length];
    for (int q = 0; q < values.length; q++) {
      values[q] = rounding.round(CODE[q] * absmax);
    }
    long at = block + HEAD + (long) run * (RUN / 2);
    for (int i = 0; i < RUN / 2; i++) {
      int pair = unsigned(from, at + i);
      to.set(FLOAT, offset + 8L * i, values[pair >> 4]);
      to.set(FLOAT, offset + 8L * i + 4, values[pair & 15]);
    }
  }
}
