package dev.lethe.tensor;

import java.lang.foreign.MemorySegment;

/**
 * NF4, the four bits of QLoRA (Dettmers and others 2023, appendix E) as bitsandbytes stores them, 64 numbers a block
 * and the block's largest magnitude in front: {@code f32 absmax; u4 q[64]}, x = code[q]·absmax, rounded to the format
 * that the weight had before. A byte holds two neighbouring numbers, the first in its upper half.
 */
final class NormalFloat extends BlockFormat {
  /** The 16 numbers of the code, equally likely under a normal distribution. */
  static final float[] CODE = {
    -1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
    -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0.0f,
    0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
    0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1.0f
  };

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
    super(64, HEAD + 32);
    this.rounding = rounding;
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
