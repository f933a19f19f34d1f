package dev.lethe.backend.cuda;

import dev.lethe.backend.DropoutKernels;
import dev.lethe.backend.Require;
import dev.lethe.tensor.Tensor;

/** Dropout by kernels/dropout.cu, with the mask of {@link DropoutKernels#keeps}. */
final class CudaDropout implements DropoutKernels {
  private final Cuda cuda;

  CudaDropout(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public void apply(
      long seed, double probability, long maskElements, Tensor x, Tensor y, boolean accumulate) {
    Require.rank("dropout.apply: x", x, 2, 3);
    Require.tensor("dropout.apply: x", x, cuda.type(), x.shape().toArray());
    Require.tensor("dropout.apply: y", y, cuda.type(), x.shape().toArray());
    Require.that(
        probability >= 0 && probability < 1, "dropout.apply: probability", "[0,1)", probability);
    Require.that(
        maskElements == x.dim(-2) * x.dim(-1),
        "dropout.apply: maskElements",
        x.dim(-2) * x.dim(-1),
        maskElements);
    long k = x.shape().rank() == 2 ? 1 : x.dim(0);
    cuda.kernel("dropout_apply")
        .with(x).with(y).with(seed).with(threshold(probability))
        .with((float) (1 / (1 - probability))).with(accumulate ? 1 : 0).with(maskElements).with(k)
        .run(cuda.elements(maskElements));
  }

  /** The least 53-bit integer i with i·2⁻⁵³ ≥ probability; both the product and the ceiling are exact. */
  private static long threshold(double probability) {
    return (long) Math.ceil(probability * 0x1p53);
  }
}
