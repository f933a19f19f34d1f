package dev.lethe.backend.kernel;

import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/**
 * Residual add and layer norm in one pass: s = x + f, c = s − m, y = w∘(r c) + b with m = mean s and
 * r = (mean c² + ε)^-½ of each row of D elements. Without f, s is x itself. Ba, Kiros and Hinton, arXiv 1607.06450.
 */
public interface LayerNormKernels {
  /** s = x + f, m = mean s, r = (mean c² + ε)^-½, y = w∘(r c) + b. */
  void forward(Forward call);

  /** ṡ = ẋ + ḟ, ċ = ṡ − mean ṡ, ṙ = −r³ mean(c∘ċ), ẏ = w∘(r ċ + ṙ c). */
  void tangent(Tangent call);

  /** x̄ = f̄ = s̄ + r (g − mean g) − r³ q c, with g = w∘ȳ and q = mean(c∘g). */
  void backward(Backward call);

  /**
   * The derivative of {@link #backward} along (ṡ, s̄̇, ȳ̇), with ġ = w∘ȳ̇ and q̇ = mean(ċ∘g + c∘ġ):
   * x̄̇ = s̄̇ + ṙ (g − mean g) + r (ġ − mean ġ) − (3 r² ṙ q + r³ q̇) c − r³ q ċ.
   */
  void backwardTangent(BackwardTangent call);

  /**
   * What all modes share.
   *
   * @param w frozen weight (D)
   * @param s the sum (N,D); the forward's x itself where it has no f
   * @param mean m (N)
   * @param r (N)
   */
  record Primal(Tensor w, Tensor s, Tensor mean, Tensor r) {
    /** N. */
    public long rows() {
      return s.dim(0);
    }

    /** D. */
    public long width() {
      return s.dim(1);
    }

    private void require(Arguments check) {
      check.rank("s", s, 2);
      check.activation("s", s, rows(), width());
      check.activation("w", w, width());
      check.vector("mean", mean, rows());
      check.vector("r", r, rows());
    }

    private KernelCost cost(Tensor... others) {
      return KernelCost.of(0, w, s, mean, r).plus(KernelCost.of(0, others));
    }
  }

  /**
   * @param p with s, mean and r out
   * @param b frozen bias (D), or null
   * @param x (N,D)
   * @param f (N,D), or null: no residual, then s must be x
   * @param y (N,D) out
   */
  record Forward(Primal p, Tensor b, double epsilon, Tensor x, Tensor f, Tensor y)
      implements KernelCall {
    @Override
    public String name() {
      return "layerNorm.forward";
    }

    @Override
    public void require(Arguments check) {
      p.require(check);
      check.activationOrNull("b", b, p.width());
      check.activation("x", x, p.rows(), p.width());
      check.activationOrNull("f", f, p.rows(), p.width());
      check.that((f == null) == (p.s == x), "s", "x itself exactly where f is null", p.s);
      check.activation("y", y, p.rows(), p.width());
    }

    @Override
    public KernelCost cost(DType weights) {
      return p.cost(b, f == null ? null : x, f, y);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.layerNorm().forward(this);
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
      return "layerNorm.tangent";
    }

    @Override
    public void require(Arguments check) {
      p.require(check);
      ResidualNormChecks.tangent(check, p.s, dx, df, ds, dy);
    }

    @Override
    public KernelCost cost(DType weights) {
      return p.cost(dx, df, ds, dy);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.layerNorm().tangent(this);
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
      return "layerNorm.backward";
    }

    @Override
    public void require(Arguments check) {
      p.require(check);
      ResidualNormChecks.backward(check, p.s, gs, gy, gx);
    }

    @Override
    public KernelCost cost(DType weights) {
      return p.cost(gs, gy, gx);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.layerNorm().backward(this);
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
      return "layerNorm.backwardTangent";
    }

    @Override
    public void require(Arguments check) {
      p.require(check);
      ResidualNormChecks.backwardTangent(check, p.s, gy, ds, dgs, dgy, dgx);
    }

    @Override
    public KernelCost cost(DType weights) {
      return p.cost(gy, ds, dgs, dgy, dgx);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.layerNorm().backwardTangent(this);
    }
  }
}
