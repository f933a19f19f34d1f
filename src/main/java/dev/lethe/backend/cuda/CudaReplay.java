package dev.lethe.backend.cuda;

import dev.lethe.backend.ReplayKernels;
import dev.lethe.backend.VectorKernels;
import dev.lethe.tensor.Tensor;

/** Not yet. */
record CudaReplay(Cuda cuda) implements ReplayKernels {
  @Override
  public void adamW(
      VectorKernels.AdamW options, Step step, AdamWState recorded, AdamWState runs, Tensor difference) {
    throw new UnsupportedOperationException("replay.adamW: not yet on cuda");
  }

  @Override
  public void sgd(Sgd options, Step step, SgdState recorded, SgdState runs, Tensor difference) {
    throw new UnsupportedOperationException("replay.sgd: not yet on cuda");
  }

  @Override
  public void squaredNorms(Tensor g, Tensor change, double[] norms) {
    throw new UnsupportedOperationException("replay.squaredNorms: not yet on cuda");
  }
}
