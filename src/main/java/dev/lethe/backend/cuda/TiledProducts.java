package dev.lethe.backend.cuda;

import dev.lethe.backend.cuda.blas.Product;
import dev.lethe.backend.cuda.blas.Products;

/** Matrix products by kernels/gemm.cu. */
final class TiledProducts implements Products {
  TiledProducts(Cuda cuda) {}

  @Override
  public String description() {
    return "Lethe's own tiled kernels";
  }

  @Override
  public void multiply(Product product) {
    throw new IllegalStateException("no kernel yet");
  }

  @Override
  public void close() {}
}
