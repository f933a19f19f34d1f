package dev.lethe.backend.kernel;

import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/**
 * Residual add and root-mean-square norm in one pass: s = x + f, r = (mean s² + ε)^-½, y = w∘(s·r).
 * Without f, s is x itself. Zhang and Sennrich, arXiv 1910.07467.
 */
public interface RmsNormKernels {
  /** s, r and y. */
  void forward(Forward call);

  /** ṡ = ẋ + ḟ, ṙ = −r³ mean(s∘ṡ), ẏ = w∘(ṡr + sṙ). */
  void tangent(Tangent call);

  /** x̄ = f̄ = s̄ + norm-backward(ȳ); with g = w∘ȳ, c = mean(s∘g): rg − s r³ c. */
  void backward(Backward call);

  /** The derivative of {@link #backward} along (ṡ, s̄̇, ȳ̇). */
  void backwardTangent(BackwardTangent call);

  /** Frozen weight w (D), the sum s (N,D), and r (N). */
  record Primal(Tensor w, Tensor s, Tensor r) {
    private void require(Arguments check) {
      check.rank("s", s, 2);
      check.activation("s", s, s.dim(0), s.dim(1));
      check.activation("w", w, s.dim(1));
      check.vector("r", r, s.dim(0));
    }
  }

  /**
   * @param w frozen weight (D)
   * @param x (N,D)
   * @param f (N,D), or null: no residual, then s must be null
   * @param s (N,D) out: the sum
   * @param y (N,D) out: the normed sum
   * @param r (N) out: reciprocal root mean squares
   */
  record Forward(Tensor w, double epsilon, Tensor x, Tensor f, Tensor s, Tensor y, Tensor r)
      implements KernelCall {
    @Override
    public String name() {
      return "rmsNorm.forward";
    }

    @Override
    public void require(Arguments check) {
      check.rank("x", x, 2);
      long n = x.dim(0);
      long d = x.dim(1);
      check.activation("w", w, d);
      check.activation("x", x, n, d);
      check.activationOrNull("f", f, n, d);
      check.that((f == null) == (s == null), "s", "null exactly where f is", s);
      check.activationOrNull("s", s, n, d);
      check.columns("y", y, n, d);
      check.vector("r", r, n);
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, w, x, f, s, y, r);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.rmsNorm().forward(this);
    }
  }

  /**
   * @param dx ẋ (k,N,D) or null
   * @param df ḟ (k,N,D) or null
   * @param ds ṡ (k,N,D) out; null where not wanted (then exactly one of dx, df is the sum itself)
   * @param dy ẏ (k,N,D) out
   */
  record Tangent(Primal p, Tensor dx, Tensor df, Tensor ds, Tensor dy) implements KernelCall {
    @Override
    public String name() {
      return "rmsNorm.tangent";
    }

    @Override
    public void require(Arguments check) {
      p.require(check);
      ResidualNormChecks.tangent(check, p.s, dx, df, ds, dy);
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, p.w, p.s, p.r, dx, df, ds, dy);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.rmsNorm().tangent(this);
    }
  }

  /**
   * @param gs s̄ (k,N,D) or null
   * @param gy ȳ (k,N,D)
   * @param gx x̄ = f̄ (k,N,D) out; may be the same tensor as gs
   */
  record Backward(Primal p, Tensor gs, Tensor gy, Tensor gx) implements KernelCall {
    @Override
    public String name() {
      return "rmsNorm.backward";
    }

    @Override
    public void require(Arguments check) {
      p.require(check);
      ResidualNormChecks.backward(check, p.s, gs, gy, gx);
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, p.w, p.s, p.r, gs, gy, gx);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.rmsNorm().backward(this);
    }
  }

  /**
   * @param gy primal ȳ (N,D)
   * @param ds ṡ (k,N,D)
   * @param dgs s̄̇ (k,N,D) or null
   * @param dgy ȳ̇ (k,N,D)
   * @param dgx x̄̇ = f̄̇ (k,N,D) out; may be the same tensor as dgs
   */
  record BackwardTangent(Primal p, Tensor gy, Tensor ds, Tensor dgs, Tensor dgy, Tensor dgx)
      implements KernelCall {
    @Override
    public String name() {
      return "rmsNorm.backwardTangent";
    }

    @Override
    public void require(Arguments check) {
      p.require(check);
      ResidualNormChecks.backwardTangent(check, p.s, gy, ds, dgs, dgy, dgx);
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, p.w, p.s, p.r, gy, ds, dgs, dgy, dgx);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.rmsNorm().backwardTangent(this);
    }
  }
}
