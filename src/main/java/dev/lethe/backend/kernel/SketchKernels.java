package dev.lethe.backend.kernel;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/**
 * Products with a sketch F of a curvature, C ≈ FᵀF: N rows of P numbers each, one a sampled gradient. Rows
 * are BF16 or in {@link Backend#vectorType}; everything else is in the vector type. Each call reads F from
 * memory once where the backend can, for all k directions together; F may be a mapped file on backends in
 * host memory. What several parts of F give adds up, so that a long sketch can pass in parts.
 */
public interface SketchKernels {
  /** dots[j][i] = ⟨rows[i], v[j]⟩. */
  void dots(Dots call);

  /** Adds scale·Σᵢ weights[j][i]·rows[i] to out[j]. */
  void addCombination(AddCombination call);

  /**
   * Adds scale·Σᵢ rows[i]·⟨rows[i], v[j]⟩ to out[j]. Gives the bytes of {@link #dots} followed by {@link
   * #addCombination}.
   */
  void addProduct(AddProduct call);

  /**
   * @param rows (N,P)
   * @param v (k,P)
   * @param dots (k,N) out
   */
  record Dots(Tensor rows, Tensor v, Tensor dots) implements KernelCall {
    @Override
    public String name() {
      return "sketch.dots";
    }

    @Override
    public void require(Arguments check) {
      requireRows(check, rows);
      check.rank("v", v, 2);
      check.vector("v", v, v.dim(0), rows.dim(1));
      check.vector("dots", dots, v.dim(0), rows.dim(0));
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(2.0 * v.dim(0) * rows.elements(), rows, v, dots);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.sketch().dots(this);
    }
  }

  /**
   * @param weights (k,N)
   * @param rows (N,P)
   * @param out (k,P), added to
   */
  record AddCombination(Tensor weights, double scale, Tensor rows, Tensor out)
      implements KernelCall {
    @Override
    public String name() {
      return "sketch.addCombination";
    }

    @Override
    public void require(Arguments check) {
      requireRows(check, rows);
      check.rank("weights", weights, 2);
      check.vector("weights", weights, weights.dim(0), rows.dim(0));
      check.vector("out", out, weights.dim(0), rows.dim(1));
    }

    @Override
    public KernelCost cost(DType frozen) {
      return KernelCost.of(2.0 * weights.dim(0) * rows.elements(), weights, rows, out);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.sketch().addCombination(this);
    }
  }

  /**
   * @param rows (N,P)
   * @param v (k,P)
   * @param out (k,P), added to; not v
   */
  record AddProduct(Tensor rows, Tensor v, double scale, Tensor out) implements KernelCall {
    @Override
    public String name() {
      return "sketch.addProduct";
    }

    @Override
    public void require(Arguments check) {
      requireRows(check, rows);
      check.rank("v", v, 2);
      check.vector("v", v, v.dim(0), rows.dim(1));
      check.vector("out", out, v.dim(0), rows.dim(1));
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(4.0 * v.dim(0) * rows.elements(), rows, v, out);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.sketch().addProduct(this);
    }
  }

  private static void requireRows(Arguments check, Tensor rows) {
    check.rank("rows", rows, 2);
    check.bf16OrVector("rows", rows);
  }
}
