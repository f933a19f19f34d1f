package dev.lethe.tensor;

import java.lang.foreign.MemorySegment;

/**
 * The block formats of GGUF files. Formulas as in llama.cpp's {@code ggml-quants.c} ({@code dequantize_row_q4_0}
 * and its sisters) and {@code gguf.quants} in Python.
 */
final class Ggml {
  private Ggml() {}

  /** {@code f16 d; i8 q[32]}: x = q·d. */
  static final class Q8 extends BlockFormat {
    Q8() {
      super(32, 34);
    }

    @Override
    public boolean finite(MemorySegment from, long block) {
      return finite16(from, block);
    }

    @Override
    void expandRun(MemorySegment from, long block, int run, MemorySegment to, long offset) {
      float d = float16(from, block);
      for (int i = 0; i < RUN; i++) {
        to.set(FLOAT, offset + 4L * i, signed(from, block + 2 + i) * d);
      }
    }
  }

  /** {@code f16 d; u4 q[32]}: x = d·(q − 8); a byte holds numbers i and i + 16. */
  static final class Q4 extends BlockFormat {
    Q4() {
      super(32, 18);
    }

    @Override
    public boolean finite(MemorySegment from, long block) {
      return finite16(from, block);
    }

    @Override
    void expandRun(MemorySegment from, long block, int run, MemorySegment to, long offset) {
      float d = float16(from, block);
      for (int i = 0; i < RUN / 2; i++) {
        int pair = unsigned(from, block + 2 + i);
        to.set(FLOAT, offset + 4L * i, d * ((pair & 15) - 8));
        to.set(FLOAT, offset + 4L * (i + RUN / 2), d * ((pair >> 4) - 8));
      }
    }
  }

  /**
   * {@code f16 d, dmin; u8 scales[12]; u4 q[256]}: x = (d·scale)·q − dmin·min, with a scale and a min of six bits
   * for each run; a byte holds numbers of two neighbouring runs.
   */
  static final class Q4K extends BlockFormat {
    private static final int SCALES = 4;
    private static final int QUANTS = 16;

    Q4K() {
      super(256, 144);
    }

    @Override
    public boolean finite(MemorySegment from, long block) {
      return finite16(from, block) && finite16(from, block + 2);
    }

    @Override
    void expandRun(MemorySegment from, long block, int run, MemorySegment to, long offset) {
      float d = float16(from, block) * scale(from, block + SCALES, run);
      float min = float16(from, block + 2) * min(from, block + SCALES, run);
      long at = block + QUANTS + (long) (run / 2) * RUN;
      int shift = run % 2 * 4;
      for (int i = 0; i < RUN; i++) {
        int q = unsigned(from, at + i) >> shift & 15;
        to.set(FLOAT, offset + 4L * i, d * q - min);
      }
    }

    private static int scale(MemorySegment from, long at, int run) {
      return run < 4
          ? unsigned(from, at + run) & 63
          : unsigned(from, at + run + 4) & 15 | unsigned(from, at + run - 4) >> 2 & 48;
    }

    private static int min(MemorySegment from, long at, int run) {
      return run < 4
          ? unsigned(from, at + run + 4) & 63
          : unsigned(from, at + run + 4) >> 4 | unsigned(from, at + run) >> 2 & 48;
    }
  }

  /**
   * {@code u4 low[256]; u2 high[256]; i8 scales[16]; f16 d}: x = (d·scale)·(q − 32), with a scale for each 16
   * numbers and q of six bits.
   */
  static final class Q6K extends BlockFormat {
    private static final int HIGH = 128;
    private static final int SCALES = 192;
    private static final int D = 208;

    Q6K() {
      super(256, 210);
    }

    @Override
    public boolean finite(MemorySegment from, long block) {
      return finite16(from, block + D);
    }

    @Override
    void expandRun(MemorySegment from, long block, int run, MemorySegment to, long offset) {
      float d = float16(from, block + D);
      long low = block + (long) (run / 4) * 64 + run % 2 * RUN;
      int lowShift = run % 4 / 2 * 4;
      long high = block + HIGH + (long) (run / 4) * RUN;
      int highShift = run % 4 * 2;
      for (int half = 0; half < 2; half++) {
        float scale = d * signed(from, block + SCALES + 2L * run + half);
        for (int i = half * 16; i < half * 16 + 16; i++) {
          int q =
              unsigned(from, low + i) >> lowShift & 15
                  | (unsigned(from, high + i) >> highShift & 3) << 4;
          to.set(FLOAT, offset + 4L * i, scale * (q - 32));
        }
      }
    }
  }
}
