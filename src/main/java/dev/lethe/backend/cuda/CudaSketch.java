package dev.lethe.backend.cuda;

import dev.lethe.backend.SketchKernels;
import dev.lethe.tensor.Tensor;

/** Not yet. */
record CudaSketch(Cuda cuda) implements SketchKernels {
  @Override
  public void dots(Tensor rows, Tensor v, Tensor dots) {
    throw new UnsupportedOperationException("sketch.dots: not yet on cuda");
  }

  @Override
  public void addCombination(Tensor weights, double scale, Tensor rows, Tensor out) {
    throw new UnsupportedOperationException("sketch.addCombination: not yet on cuda");
  }

  @Override
  public void addProduct(Tensor rows, Tensor v, double scale, Tensor out) {
    throw new UnsupportedOperationException("sketch.addProduct: not yet on cuda");
  }
}
