package dev.lethe.backend.kernel;

import dev.lethe.backend.kernel.operand.FrozenEmbedding;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/**
 * Token embedding. The table is frozen and nothing lies below it, so forward is its only mode that is
 * not identically zero.
 */
public interface EmbeddingKernels {
  /** y = table[ids]. */
  void forward(Forward call);

  /**
   * @param ids I32 (N)
   * @param y (N,D) out
   */
  record Forward(FrozenEmbedding table, Tensor ids, Tensor y) implements KernelCall {
    @Override
    public String name() {
      return "embedding.forward";
    }

    @Override
    public void require(Arguments check) {
      check.rank("ids", ids, 1);
      check.integers("ids", ids, ids.dim(0));
      check.activation("y", y, ids.dim(0), table.width());
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, ids, y);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.embedding().forward(this);
    }
  }
}
