package dev.lethe.backend;

import dev.lethe.tensor.Tensor;

/**
 * The LoRA linear layer y = xWᵀ + bias + s(xₐAᵀ)Bᵀ with u = xₐAᵀ and h = ȳB. The adapter's input xₐ is x
 * itself, or a dropped-out copy of it in training: where the two are one, pass the same tensor for
 * both, and null for the adapter's tangent and adjoint (they are those of x).
 *
 * <p>P is the length of the flat parameter vector θ; directions v are (k,P) and gradients (k,P) or
 * (n,P), in θ's layout. Layers without an adapter take null for θ, v, u, h and their tangents.
 */
public interface LoraKernels {
  /**
   * @param theta (P)
   * @param x (N,in)
   * @param xa (N,in)
   * @param u (N,r) out
   * @param y (N,out) out
   */
  void forward(LoraLinear layer, Tensor theta, Tensor x, Tensor xa, Tensor u, Tensor y);

  /**
   * u̇ = ẋₐAᵀ + xₐȦᵀ, ẏ = ẋWᵀ + s(u̇Bᵀ + uḂᵀ).
   *
   * @param v (k,P)
   * @param xa primal (N,in)
   * @param u primal (N,r)
   * @param dx ẋ (k,N,in) or null
   * @param dxa ẋₐ (k,N,in); null where xₐ is x, or where dx is null as well: then ẋₐ is dx
   * @param du u̇ (k,N,r) out
   * @param dy ẏ (k,N,out) out
   */
  void tangent(
      LoraLinear layer,
      Tensor theta,
      Tensor v,
      Tensor xa,
      Tensor u,
      Tensor dx,
      Tensor dxa,
      Tensor du,
      Tensor dy);

  /**
   * h = ȳB, x̄ = ȳW + s hA (where xₐ is not x: x̄ = ȳW, x̄ₐ = s hA).
   *
   * @param gy ȳ (k,N,out)
   * @param h (k,N,r) out
   * @param gx x̄ (k,N,in) out, or null: not wanted (the layer lies at the bottom); needs a weight frozen
   *     with its transpose
   * @param gxa x̄ₐ (k,N,in) out, or null where xₐ is x
   * @param accumulate add to gx instead of overwriting it; gxa is always overwritten
   */
  void backward(
      LoraLinear layer, Tensor theta, Tensor gy, Tensor h, Tensor gx, Tensor gxa, boolean accumulate);

  /**
   * ḣ = ȳ̇B + ȳḂ, x̄̇ = ȳ̇W + s(ḣA + hȦ).
   *
   * @param gy primal ȳ (N,out)
   * @param h primal (N,r)
   * @param dgy ȳ̇ (k,N,out) or null
   * @param dh ḣ (k,N,r) out
   * @param dgx x̄̇ (k,N,in) out, or null
   * @param dgxa x̄̇ₐ (k,N,in) out, or null where xₐ is x
   * @param accumulate add to dgx instead of overwriting it
   */
  void backwardTangent(
      LoraLinear layer,
      Tensor theta,
      Tensor v,
      Tensor gy,
      Tensor h,
      Tensor dgy,
      Tensor dh,
      Tensor dgx,
      Tensor dgxa,
      boolean accumulate);

  /**
   * Adds scale·(Ā, B̄) to each row of g at the slot's place: Ā = s hᵀxₐ, B̄ = s ȳᵀu.
   *
   * @param xa (N,in)
   * @param u (N,r)
   * @param h (k,N,r)
   * @param gy (k,N,out)
   * @param g (k,P)
   */
  void gradient(LoraSlot slot, Tensor xa, Tensor u, Tensor h, Tensor gy, double scale, Tensor g);

  /**
   * Adds scale·(Ā̇, B̄̇) to g: Ā̇ = s(ḣᵀxₐ + hᵀẋₐ), B̄̇ = s(ȳ̇ᵀu + ȳᵀu̇).
   *
   * @param xa (N,in)
   * @param u (N,r)
   * @param dxa ẋₐ (k,N,in), which is ẋ where xₐ is x; null: zero
   * @param du (k,N,r)
   * @param h (N,r)
   * @param gy (N,out)
   * @param dh (k,N,r)
   * @param dgy (k,N,out) or null
   * @param g (k,P)
   */
  void gradientTangent(
      LoraSlot slot,
      Tensor xa,
      Tensor u,
      Tensor dxa,
      Tensor du,
      Tensor h,
      Tensor gy,
      Tensor dh,
      Tensor dgy,
      double scale,
      Tensor g);

  /**
   * One gradient per sequence: row i of g gets, at the slot's place, scale·(s hᵢᵀxᵢ, s ȳᵢᵀuᵢ) over the
   * rows of sequence i; overwrites.
   *
   * @param xa (N,in)
   * @param u (N,r)
   * @param h (N,r)
   * @param gy (N,out)
   * @param g (n,P)
   */
  void perSampleGradient(
      LoraSlot slot, Packing packing, Tensor xa, Tensor u, Tensor h, Tensor gy, double scale, Tensor g);

  /**
   * Adds ‖gᵢ‖² of this slot's part of each sequence's gradient to norms, without keeping gᵢ.
   *
   * @param xa (N,in)
   * @param u (N,r)
   * @param h (N,r)
   * @param gy (N,out)
   * @param norms (n)
   */
  void perSampleSquaredNorm(
      LoraSlot slot, Packing packing, Tensor xa, Tensor u, Tensor h, Tensor gy, Tensor norms);

  /**
   * Adds ⟨gᵢ, v⟩ = s Σₜ (hₜ·(V_A xₜ) + ȳₜ·(V_B uₜ)) to dots, per direction and sequence, without
   * forming gᵢ.
   *
   * @param v (k,P)
   * @param xa (N,in)
   * @param u (N,r)
   * @param h (N,r)
   * @param gy (N,out)
   * @param dots (k,n)
   */
  void perSampleDot(
      LoraSlot slot, Packing packing, Tensor v, Tensor xa, Tensor u, Tensor h, Tensor gy, Tensor dots);

  /**
   * Adds scale·Σᵢ cᵢ gᵢ to each row of g: the gradient with every sequence's rows weighted.
   *
   * @param weights c (k,n)
   * @param xa (N,in)
   * @param u (N,r)
   * @param h (N,r)
   * @param gy (N,out)
   * @param g (k,P)
   */
  void weightedGradient(
      LoraSlot slot,
      Packing packing,
      Tensor weights,
      Tensor xa,
      Tensor u,
      Tensor h,
      Tensor gy,
      double scale,
      Tensor g);
}
