package dev.lethe.backend.kernel;

import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/**
 * Gradients of a layer's LoRA pair, from the inputs and adjoints that {@link LoraKernels} left: their sums over a batch,
 * one for each sequence, and numbers of those that need no gradient kept.
 */
public interface LoraGradientKernels {
  /** Adds scale·(Ā, B̄) to each row of g at the slot's place: Ā = s hᵀxₐ, B̄ = s ȳᵀu. */
  void gradient(Gradient call);

  /** Adds scale·(Ā̇, B̄̇) to g: Ā̇ = s(ḣᵀxₐ + hᵀẋₐ), B̄̇ = s(ȳ̇ᵀu + ȳᵀu̇). */
  void gradientTangent(GradientTangent call);

  /** {@link #gradient} of each layer of a group. */
  default void gradients(LoraGroup<Gradient> group) {
    group.calls().forEach(this::gradient);
  }

  /** {@link #gradientTangent} of each layer of a group. */
  default void gradientTangents(LoraGroup<GradientTangent> group) {
    group.calls().forEach(this::gradientTangent);
  }

  /**
   * One gradient per sequence: row i of g gets, at the slot's place, scale·(s hᵢᵀxᵢ, s ȳᵢᵀuᵢ) over the
   * rows of sequence i; overwrites.
   */
  void perSampleGradient(PerSampleGradient call);

  /** Adds ‖gᵢ‖² of this slot's part of each sequence's gradient to norms, without keeping gᵢ. */
  void perSampleSquaredNorm(PerSampleSquaredNorm call);

  /**
   * Adds ⟨gᵢ, v⟩ = s Σₜ (hₜ·(V_A xₜ) + ȳₜ·(V_B uₜ)) to dots, per direction and sequence, without
   * forming gᵢ.
   */
  void perSampleDot(PerSampleDot call);

  /** Adds scale·Σᵢ cᵢ gᵢ to each row of g: the gradient with every sequence's rows weighted. */
  void weightedGradient(WeightedGradient call);

  /**
   * What a layer's gradients are made of.
   *
   * @param xa (N,in)
   * @param u (N,r)
   * @param h (N,r), or (k,N,r) where a call says so
   * @param gy ȳ (N,out), or (k,N,out) likewise
   */
  record Kept(Tensor xa, Tensor u, Tensor h, Tensor gy) {
    /** With the adjoints of one of k directions. */
    public Kept row(long direction) {
      return new Kept(xa, u, h.row(direction), gy.row(direction));
    }

    /** Checks everything but h and ȳ; returns N. */
    private long requireInputs(Arguments check, LoraSlot slot) {
      check.rank("xa", xa, 2);
      long n = xa.dim(0);
      check.columns("xa", xa, n, slot.in());
      check.columns("u", u, n, slot.rank());
      return n;
    }

    /** Checks adjoints of no direction; returns N. */
    private long require(Arguments check, LoraSlot slot) {
      long n = requireInputs(check, slot);
      check.columns("h", h, n, slot.rank());
      check.columns("gy", gy, n, slot.out());
      return n;
    }

    private void require(Arguments check, LoraSlot slot, Packing packing) {
      long n = require(check, slot);
      check.that(packing.rows() == n, "packing", n + " rows", packing);
    }
  }

  /**
   * The derivative of {@link Kept}.
   *
   * @param dxa ẋₐ (k,N,in), which is ẋ where xₐ is x; null: zero
   * @param du u̇ (k,N,r)
   * @param dh ḣ (k,N,r)
   * @param dgy ȳ̇ (k,N,out) or null
   */
  record KeptTangent(Tensor dxa, Tensor du, Tensor dh, Tensor dgy) {}

  /**
   * @param kept with h (k,N,r) and gy (k,N,out)
   * @param g (k,P), added to
   */
  record Gradient(LoraSlot slot, Kept kept, double scale, Tensor g) implements KernelCall {
    @Override
    public String name() {
      return "lora.gradient";
    }

    @Override
    public void require(Arguments check) {
      check.holding("g", slot, g, 2);
      long k = g.dim(0);
      long n = kept.requireInputs(check, slot);
      check.columns("h", kept.h, k, n, slot.rank());
      check.columns("gy", kept.gy, k, n, slot.out());
    }

    @Override
    public KernelCost cost(DType weights) {
      return slot.gradientCost(
          kept.h.dim(0),
          kept.xa.dim(0),
          1,
          1,
          g,
          KernelCost.of(0, kept.xa, kept.u, kept.h, kept.gy));
    }

    @Override
    public void on(Kernels kernels) {
      kernels.lora().gradient(this);
    }
  }

  /**
   * @param g (k,P), added to
   */
  record GradientTangent(LoraSlot slot, Kept kept, KeptTangent tangent, double scale, Tensor g)
      implements KernelCall {
    @Override
    public String name() {
      return "lora.gradientTangent";
    }

    @Override
    public void require(Arguments check) {
      check.holding("g", slot, g, 2);
      long k = g.dim(0);
      long n = kept.require(check, slot);
      check.columnsOrNull("dxa", tangent.dxa, k, n, slot.in());
      check.columns("du", tangent.du, k, n, slot.rank());
      check.columns("dh", tangent.dh, k, n, slot.rank());
      check.columnsOrNull("dgy", tangent.dgy, k, n, slot.out());
    }

    @Override
    public KernelCost cost(DType weights) {
      return slot.gradientCost(
          g.dim(0),
          kept.xa.dim(0),
          tangent.dxa != null ? 2 : 1,
          tangent.dgy != null ? 2 : 1,
          g,
          KernelCost.of(
              0,
              kept.xa,
              kept.u,
              kept.h,
              kept.gy,
              tangent.dxa,
              tangent.du,
              tangent.dh,
              tangent.dgy));
    }

    @Override
    public void on(Kernels kernels) {
      kernels.lora().gradientTangent(this);
    }
  }

  /**
   * @param g (n,P), overwritten at the slot's place
   */
  record PerSampleGradient(LoraSlot slot, Packing packing, Kept kept, double scale, Tensor g)
      implements KernelCall {
    @Override
    public String name() {
      return "lora.perSampleGradient";
    }

    @Override
    public void require(Arguments check) {
      kept.require(check, slot, packing);
      check.holding("g", slot, g, 2);
      check.that(g.dim(0) == packing.count(), "g", packing.count() + " rows", g);
    }

    @Override
    public KernelCost cost(DType weights) {
      return slot.gradientCost(
          1, kept.xa.dim(0), 1, 1, g, KernelCost.of(0, kept.xa, kept.u, kept.h, kept.gy));
    }

    @Override
    public void on(Kernels kernels) {
      kernels.lora().perSampleGradient(this);
    }
  }

  /**
   * @param norms (n), added to
   */
  record PerSampleSquaredNorm(LoraSlot slot, Packing packing, Kept kept, Tensor norms)
      implements KernelCall {
    @Override
    public String name() {
      return "lora.perSampleSquaredNorm";
    }

    @Override
    public void require(Arguments check) {
      kept.require(check, slot, packing);
      check.vector("norms", norms, packing.count());
    }

    @Override
    public KernelCost cost(DType weights) {
      return slot.gradientCost(
          1, kept.xa.dim(0), 1, 1, null, KernelCost.of(0, kept.xa, kept.u, kept.h, kept.gy, norms));
    }

    @Override
    public void on(Kernels kernels) {
      kernels.lora().perSampleSquaredNorm(this);
    }
  }

  /**
   * @param v (k,P)
   * @param dots (k,n), added to
   */
  record PerSampleDot(LoraSlot slot, Packing packing, Tensor v, Kept kept, Tensor dots)
      implements KernelCall {
    @Override
    public String name() {
      return "lora.perSampleDot";
    }

    @Override
    public void require(Arguments check) {
      kept.require(check, slot, packing);
      check.holding("v", slot, v, 2);
      check.vector("dots", dots, v.dim(0), packing.count());
    }

    @Override
    public KernelCost cost(DType weights) {
      return slot.gradientCost(
          v.dim(0),
          kept.xa.dim(0),
          1,
          1,
          v,
          KernelCost.of(0, kept.xa, kept.u, kept.h, kept.gy, dots));
    }

    @Override
    public void on(Kernels kernels) {
      kernels.lora().perSampleDot(this);
    }
  }

  /**
   * @param weights c (k,n)
   * @param g (k,P), added to
   */
  record WeightedGradient(
      LoraSlot slot, Packing packing, Tensor weights, Kept kept, double scale, Tensor g)
      implements KernelCall {
    @Override
    public String name() {
      return "lora.weightedGradient";
    }

    @Override
    public void require(Arguments check) {
      kept.require(check, slot, packing);
      check.holding("g", slot, g, 2);
      check.vector("weights", weights, g.dim(0), packing.count());
    }

    @Override
    public KernelCost cost(DType frozen) {
      return slot.gradientCost(
          weights.dim(0),
          kept.xa.dim(0),
          1,
          1,
          g,
          KernelCost.of(0, weights, kept.xa, kept.u, kept.h, kept.gy));
    }

    @Override
    public void on(Kernels kernels) {
      kernels.lora().weightedGradient(this);
    }
  }
}
