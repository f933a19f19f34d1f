package dev.lethe.backend.cuda.blas;

/** Dense matrix products on one device, queued in its stream. */
public interface Products extends AutoCloseable {
  /** One line for people: which library, which version, where it was found. */
  String description();

  /**
   * C = alpha·A·B + beta·C for each entry of the batch; where beta is 0, C is not read. float32 operands are
   * multiplied and summed in float32 (never TF32), bfloat16 ones are summed in float32. Equal calls
   * give equal bytes.
   */
  void multiply(Product product);

  @Override
  void close();
}
