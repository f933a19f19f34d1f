package dev.lethe.backend.kernel;

import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/**
 * h = silu(a)∘b with silu(a) = a·σ(a). With σ = σ(a): f = aσ, f′ = σ(1 + a(1−σ)), f″ = σ(1−σ)(2 + a(1−2σ)).
 * Shazeer, arXiv 2002.05202.
 */
public interface SwiGluKernels {
  /** h = fb. */
  void forward(Forward call);

  /** ḣ = f′ȧb + fḃ. */
  void tangent(Tangent call);

  /** ā = h̄bf′, b̄ = h̄f. */
  void backward(Backward call);

  /** ā̇ = h̄̇bf′ + h̄ḃf′ + h̄bf″ȧ, b̄̇ = h̄̇f + h̄f′ȧ. */
  void backwardTangent(BackwardTangent call);

  /** a, b (N,F); h (N,F) out. */
  record Forward(Tensor a, Tensor b, Tensor h) implements KernelCall {
    @Override
    public String name() {
      return "swiGlu.forward";
    }

    @Override
    public void require(Arguments check) {
      requirePrimal(check, a, b);
      check.activation("h", h, a.dim(0), a.dim(1));
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, a, b, h);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.swiGlu().forward(this);
    }
  }

  /** a, b (N,F); da, db (k,N,F) or null; dh (k,N,F) out. */
  record Tangent(Tensor a, Tensor b, Tensor da, Tensor db, Tensor dh) implements KernelCall {
    @Override
    public String name() {
      return "swiGlu.tangent";
    }

    @Override
    public void require(Arguments check) {
      requirePrimal(check, a, b);
      check.rank("dh", dh, 3);
      long k = dh.dim(0);
      check.activation("dh", dh, k, a.dim(0), a.dim(1));
      check.activationOrNull("da", da, k, a.dim(0), a.dim(1));
      check.activationOrNull("db", db, k, a.dim(0), a.dim(1));
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, a, b, da, db, dh);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.swiGlu().tangent(this);
    }
  }

  /** a, b (N,F); gh (k,N,F); ga, gb (k,N,F) out. */
  record Backward(Tensor a, Tensor b, Tensor gh, Tensor ga, Tensor gb) implements KernelCall {
    @Override
    public String name() {
      return "swiGlu.backward";
    }

    @Override
    public void require(Arguments check) {
      requirePrimal(check, a, b);
      check.rank("gh", gh, 3);
      long k = gh.dim(0);
      check.activation("gh", gh, k, a.dim(0), a.dim(1));
      check.activation("ga", ga, k, a.dim(0), a.dim(1));
      check.activation("gb", gb, k, a.dim(0), a.dim(1));
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, a, b, gh, ga, gb);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.swiGlu().backward(this);
    }
  }

  /** a, b, primal gh (N,F); da, db, dgh (k,N,F) or null; dga, dgb (k,N,F) out. */
  record BackwardTangent(
      Tensor a, Tensor b, Tensor gh, Tensor da, Tensor db, Tensor dgh, Tensor dga, Tensor dgb)
      implements KernelCall {
    @Override
    public String name() {
      return "swiGlu.backwardTangent";
    }

    @Override
    public void require(Arguments check) {
      requirePrimal(check, a, b);
      check.activation("gh", gh, a.dim(0), a.dim(1));
      check.rank("dga", dga, 3);
      long k = dga.dim(0);
      check.activation("dga", dga, k, a.dim(0), a.dim(1));
      check.activation("dgb", dgb, k, a.dim(0), a.dim(1));
      check.activationOrNull("da", da, k, a.dim(0), a.dim(1));
      check.activationOrNull("db", db, k, a.dim(0), a.dim(1));
      check.activationOrNull("dgh", dgh, k, a.dim(0), a.dim(1));
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, a, b, gh, da, db, dgh, dga, dgb);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.swiGlu().backwardTangent(this);
    }
  }

  private static void requirePrimal(Arguments check, Tensor a, Tensor b) {
    check.rank("a", a, 2);
    check.activation("a", a, a.dim(0), a.dim(1));
    check.activation("b", b, a.dim(0), a.dim(1));
  }
}
