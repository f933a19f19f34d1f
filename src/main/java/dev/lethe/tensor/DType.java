package dev.lethe.tensor;

import dev.lethe.ArgumentException;
import dev.lethe.Text;

/**
 * The number formats of tensors, named as in safetensors headers, and the block formats of frozen weights, which can
 * be read but not written number by number.
 */
public enum DType {
  F64(8, true),
  F32(4, true),
  F16(2, true),
  BF16(2, true),
  I64(8, false),
  I32(4, false),
  I16(2, false),
  I8(1, false),
  U64(8, false),
  U32(4, false),
  U16(2, false),
  U8(1, false),
  BOOL(1, false),
  Q8_0(new Ggml.Q8()),
  Q4_0(new Ggml.Q4()),
  Q4_K(new Ggml.Q4K()),
  Q6_K(new Ggml.Q6K()),
  /** NF4 of a weight that was float32; the two behind it of weights that were float16 and bfloat16. */
  NF4(new NormalFloat(NormalFloat.Rounding.FLOAT32)),
  NF4_F16(new NormalFloat(NormalFloat.Rounding.FLOAT16)),
  NF4_BF16(new NormalFloat(NormalFloat.Rounding.BFLOAT16));

  private final int bytes;
  private final boolean floating;
  private final BlockFormat blocks;

  DType(int bytes, boolean floating) {
    this.bytes = bytes;
    this.floating = floating;
    this.blocks = null;
  }

  DType(BlockFormat blocks) {
    this.bytes = 0;
    this.floating = true;
    this.blocks = blocks;
  }

  /** Bytes of one element; throws for a block format, whose elements have no bytes of their own. */
  public int bytes() {
    if (isBlocks()) {
      throw new ArgumentException(this + " has blocks of " + blocks.elements() + " elements");
    }
    return bytes;
  }

  /**
   * Bytes of consecutive elements.
   *
   * @throws ArgumentException where they leave a long
   */
  public long byteSize(long elements) {
    if (!isBlocks()) {
      return product(elements, bytes);
    }
    if (elements % blocks.elements() != 0) {
      throw new ArgumentException(
          Text.format("%s has whole blocks of %d elements, not %d", this, blocks.elements(), elements));
    }
    return product(elements / blocks.elements(), blocks.bytes());
  }

  private long product(long count, int size) {
    try {
      return Math.multiplyExact(count, size);
    } catch (ArithmeticException e) {
      throw new ArgumentException(
          Text.format("the bytes of %d times %d of %s do not fit into 64 bits", count, size, this));
    }
  }

  /** Whether this is a floating-point format, packed in blocks or not. */
  public boolean isFloating() {
    return floating;
  }

  /** Whether numbers are packed in blocks. */
  public boolean isBlocks() {
    return blocks != null;
  }

  /** How blocks are expanded; null where numbers stand for themselves. */
  public BlockFormat blocks() {
    return blocks;
  }

  /** The float that a bfloat16 bit pattern stands for; exact. */
  public static float bf16ToFloat(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  /** Rounds to the nearest bfloat16, ties to even; NaN stays NaN. */
  public static short floatToBf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) ((bits >>> 16) | 0x40);
    }
    return (short) ((bits + 0x7FFF + ((bits >>> 16) & 1)) >>> 16);
  }
}
