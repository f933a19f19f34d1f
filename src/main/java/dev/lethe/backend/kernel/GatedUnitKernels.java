package dev.lethe.backend.kernel;

import dev.lethe.backend.kernel.operand.Nonlinearity;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/**
 * h = f(a)∘b, or h = f(a) without a gate, which is b = 1. f, f′ and f″ are a {@link Nonlinearity} and its derivatives at
 * a. SwiGLU and GeGLU: Shazeer, arXiv 2002.05202.
 */
public interface GatedUnitKernels {
  /** h = fb. */
  void forward(Forward call);

  /** ḣ = f′ȧb + fḃ. */
  void tangent(Tangent call);

  /** ā = h̄bf′, b̄ = h̄f. */
  void backward(Backward call);

  /** ā̇ = h̄̇bf′ + h̄ḃf′ + h̄bf″ȧ, b̄̇ = h̄̇f + h̄f′ȧ. */
  void backwardTangent(BackwardTangent call);

  /**
   * What all modes read.
   *
   * @param a (N,F)
   * @param b (N,F); null: no gate
   */
  record Primal(Nonlinearity f, Tensor a, Tensor b) {
    private void require(Arguments check) {
      check.that(f != null, "f", "a nonlinearity", null);
      check.rank("a", a, 2);
      check.columns("a", a, a.dim(0), a.dim(1));
      check.columnsOrNull("b", b, a.dim(0), a.dim(1));
    }

    /** Checks what belongs to b: there where b is, null where it is not. */
    private void requireOfGate(Arguments check, String what, Tensor tensor, long k) {
      if (b == null) {
        check.that(tensor == null, what, "null, as b is", tensor);
      } else {
        check.columns(what, tensor, k, a.dim(0), a.dim(1));
      }
    }

    private void requireTangents(Arguments check, Tensor da, Tensor db, long k) {
      check.columnsOrNull("da", da, k, a.dim(0), a.dim(1));
      if (db != null) {
        requireOfGate(check, "db", db, k);
      }
    }
  }

  /** h (N,F) out. */
  record Forward(Primal p, Tensor h) implements KernelCall {
    @Override
    public String name() {
      return "gatedUnit.forward";
    }

    @Override
    public void require(Arguments check) {
      p.require(check);
      check.columns("h", h, p.a.dim(0), p.a.dim(1));
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, p.a, p.b, h);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.gatedUnit().forward(this);
    }
  }

  /** da, db (k,N,F) or null; dh (k,N,F) out. */
  record Tangent(Primal p, Tensor da, Tensor db, Tensor dh) implements KernelCall {
    @Override
    public String name() {
      return "gatedUnit.tangent";
    }

    @Override
    public void require(Arguments check) {
      p.require(check);
      check.rank("dh", dh, 3);
      check.columns("dh", dh, dh.dim(0), p.a.dim(0), p.a.dim(1));
      p.requireTangents(check, da, db, dh.dim(0));
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, p.a, p.b, da, db, dh);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.gatedUnit().tangent(this);
    }
  }

  /** gh (k,N,F); ga (k,N,F) out; gb (k,N,F) out, null without a gate. */
  record Backward(Primal p, Tensor gh, Tensor ga, Tensor gb) implements KernelCall {
    @Override
    public String name() {
      return "gatedUnit.backward";
    }

    @Override
    public void require(Arguments check) {
      p.require(check);
      check.rank("gh", gh, 3);
      long k = gh.dim(0);
      check.activation("gh", gh, k, p.a.dim(0), p.a.dim(1));
      check.columns("ga", ga, k, p.a.dim(0), p.a.dim(1));
      p.requireOfGate(check, "gb", gb, k);
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, p.a, p.b, gh, ga, gb);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.gatedUnit().backward(this);
    }
  }

  /** Primal gh (N,F); da, db, dgh (k,N,F) or null; dga (k,N,F) out; dgb (k,N,F) out, null without a gate. */
  record BackwardTangent(
      Primal p, Tensor gh, Tensor da, Tensor db, Tensor dgh, Tensor dga, Tensor dgb)
      implements KernelCall {
    @Override
    public String name() {
      return "gatedUnit.backwardTangent";
    }

    @Override
    public void require(Arguments check) {
      p.require(check);
      check.activation("gh", gh, p.a.dim(0), p.a.dim(1));
      check.rank("dga", dga, 3);
      long k = dga.dim(0);
      check.columns("dga", dga, k, p.a.dim(0), p.a.dim(1));
      p.requireOfGate(check, "dgb", dgb, k);
      p.requireTangents(check, da, db, k);
      check.activationOrNull("dgh", dgh, k, p.a.dim(0), p.a.dim(1));
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, p.a, p.b, gh, da, db, dgh, dga, dgb);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.gatedUnit().backwardTangent(this);
    }
  }
}
