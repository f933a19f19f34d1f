package dev.lethe.backend;

/**
 * Where one adapter pair lies in the flat parameter vector, and its scale. A is (rank,in) row-major at
 * {@code aOffset}, B is (out,rank) row-major at {@code bOffset}. Hu et al., arXiv 2106.09685.
 *
 * @param scale s = alpha/rank, or alpha/√rank with rank-stabilised LoRA
 */
public record LoraSlot(long in, long out, long rank, double scale, long aOffset, long bOffset) {
  /** Elements of A and B together. */
  public long parameters() {
    return rank * (in + out);
  }
}
