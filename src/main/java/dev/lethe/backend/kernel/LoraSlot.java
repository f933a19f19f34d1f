package dev.lethe.backend.kernel;

import dev.lethe.tensor.Tensor;

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

  /** Whether A and B lie within a vector of this length. */
  public boolean within(long length) {
    return aOffset >= 0
        && bOffset >= 0
        && aOffset + rank * in <= length
        && bOffset + rank * out <= length;
  }

  /**
   * What gradients of A and B cost, or numbers of them.
   *
   * @param sums how many gradients' worth of products
   * @param rows of the batch
   * @param ofA products that give a matrix of A's size
   * @param ofB products that give a matrix of B's size
   * @param vectors (k,P) of which the slot's part is read or written; null: none
   * @param others all other tensors
   */
  KernelCost gradientCost(
      long sums, long rows, int ofA, int ofB, Tensor vectors, KernelCost others) {
    double width = ofA * in + ofB * out;
    double bytes =
        vectors == null ? 0 : (double) vectors.dim(0) * parameters() * vectors.dtype().bytes();
    return others.plus(new KernelCost(2.0 * sums * rows * rank * width, bytes));
  }
}
