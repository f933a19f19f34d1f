package dev.lethe.backend.kernel;

import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/**
 * The LoRA linear layer y = xWᵀ + bias + s(xₐAᵀ)Bᵀ with u = xₐAᵀ and h = ȳB. The adapter's input xₐ is x
 * itself, or a dropped-out copy of it in training: where the two are one, pass the same tensor for
 * both, and null for the adapter's tangent and adjoint (they are those of x).
 *
 * <p>P is the length of the flat parameter vector θ; directions v are (k,P) and gradients (k,P) or
 * (n,P), in θ's layout. Layers without an adapter take null for θ, v, u, h and their tangents.
 */
public interface LoraKernels extends LoraGradientKernels {
  /** y = xWᵀ + bias + suBᵀ, u = xₐAᵀ. */
  void forward(Forward call);

  /** u̇ = ẋₐAᵀ + xₐȦᵀ, ẏ = ẋWᵀ + s(u̇Bᵀ + uḂᵀ). */
  void tangent(Tangent call);

  /** h = ȳB, x̄ = ȳW + s hA (where xₐ is not x: x̄ = ȳW, x̄ₐ = s hA). */
  void backward(Backward call);

  /** ḣ = ȳ̇B + ȳḂ, x̄̇ = ȳ̇W + s(ḣA + hȦ). */
  void backwardTangent(BackwardTangent call);

  /** {@link #forward} of each layer of a group. */
  default void forwards(LoraGroup<Forward> group) {
    group.calls().forEach(this::forward);
  }

  /** {@link #tangent} of each layer of a group. */
  default void tangents(LoraGroup<Tangent> group) {
    group.calls().forEach(this::tangent);
  }

  /** {@link #backward} of each layer of a group, from the last to the first: all but the last add to x̄. */
  default void backwards(LoraGroup<Backward> group) {
    group.calls().reversed().forEach(this::backward);
  }

  /** {@link #backwardTangent} of each layer of a group, in the same order. */
  default void backwardTangents(LoraGroup<BackwardTangent> group) {
    group.calls().reversed().forEach(this::backwardTangent);
  }

  /** {@link #backwards} and, with what it leaves, {@link #gradients} of the same layers. */
  default void backwardsAndGradients(LoraGroup<Backward> adjoint, LoraGroup<Gradient> gradient) {
    backwards(adjoint);
    gradients(gradient);
  }

  /** {@link #backwardTangents} and, with what it leaves, {@link #gradientTangents} of the same layers. */
  default void backwardAndGradientTangents(
      LoraGroup<BackwardTangent> adjoint, LoraGroup<GradientTangent> gradient) {
    backwardTangents(adjoint);
    gradientTangents(gradient);
  }

  /**
   * How the inputs of a layer move.
   *
   * @param dx ẋ (k,N,in) or null
   * @param dxa ẋₐ (k,N,in); null where xₐ is x, or where dx is null as well
   */
  record InputTangent(Tensor dx, Tensor dxa) {
    /** ẋₐ, whichever way it is given; null: zero. */
    public Tensor ofAdapter() {
      return dxa == null ? dx : dxa;
    }
  }

  /**
   * Where the adjoints of a layer's inputs go, or their tangents.
   *
   * @param gx x̄ (k,N,in) out, or null: not wanted (the layer lies at the bottom); needs a weight frozen
   *     with its transpose
   * @param gxa x̄ₐ (k,N,in) out, or null where xₐ is x
   * @param accumulate add to gx instead of overwriting it; gxa is always overwritten
   */
  record InputAdjoint(Tensor gx, Tensor gxa, boolean accumulate) {
    /** Whether an adjoint of either input is wanted. */
    public boolean any() {
      return gx != null || gxa != null;
    }

    private void require(Arguments check, LoraLinear layer, boolean product, long k, long n) {
      check.activationOrNull("adjoint of x", gx, k, n, layer.weight().in());
      check.activationOrNull("adjoint of xa", gxa, k, n, layer.weight().in());
      check.that(
          gx == null || !product || layer.weight().transposed(),
          "weight",
          "one frozen with transposed = true",
          "one without");
      check.that(
          gxa == null || layer.hasAdapter(), "adjoint of xa", "null without an adapter", gxa);
    }
  }

  /**
   * @param theta (P)
   * @param x (N,in)
   * @param xa (N,in)
   * @param u (N,r) out
   * @param y (N,out) out
   */
  record Forward(LoraLinear layer, Tensor theta, Tensor x, Tensor xa, Tensor u, Tensor y)
      implements KernelCall {
    @Override
    public String name() {
      return "lora.forward";
    }

    @Override
    public void require(Arguments check) {
      check.rank("x", x, 2);
      long n = x.dim(0);
      check.columns("x", x, n, layer.weight().in());
      check.columns("y", y, n, layer.weight().out());
      if (layer.hasAdapter()) {
        layer.requireFit(check);
        check.columns("xa", xa, n, layer.slot().in());
        check.columns("u", u, n, layer.slot().rank());
        check.holding("theta", layer.slot(), theta, 1);
      }
    }

    @Override
    public KernelCost cost(DType weights) {
      return layer.cost(weights, x.dim(0), true, 1, 1, theta, 0, KernelCost.of(0, x, xa, u, y));
    }

    @Override
    public void on(Kernels kernels) {
      kernels.lora().forward(this);
    }
  }

  /**
   * @param theta (P)
   * @param v (k,P)
   * @param xa primal (N,in)
   * @param u primal (N,r)
   * @param in how x and xₐ move
   * @param du u̇ (k,N,r) out
   * @param dy ẏ (k,N,out) out
   */
  record Tangent(
      LoraLinear layer,
      Tensor theta,
      Tensor v,
      Tensor xa,
      Tensor u,
      InputTangent in,
      Tensor du,
      Tensor dy)
      implements KernelCall {
    @Override
    public String name() {
      return "lora.tangent";
    }

    @Override
    public void require(Arguments check) {
      check.rank("dy", dy, 3);
      long k = dy.dim(0);
      long n = dy.dim(1);
      check.columns("dy", dy, k, n, layer.weight().out());
      check.columnsOrNull("dx", in.dx, k, n, layer.weight().in());
      check.columnsOrNull("dxa", in.dxa, k, n, layer.weight().in());
      if (layer.hasAdapter()) {
        LoraSlot slot = layer.slot();
        layer.requireFit(check);
        check.columns("xa", xa, n, slot.in());
        check.columns("u", u, n, slot.rank());
        check.columns("du", du, k, n, slot.rank());
        check.holding("theta", slot, theta, 1);
        layer.requireDirections(check, v, k);
      }
    }

    @Override
    public KernelCost cost(DType weights) {
      return layer.cost(
          weights,
          dy.dim(0) * dy.dim(1),
          in.dx != null,
          in.ofAdapter() != null ? 2 : 1,
          2,
          theta,
          v == null ? 0 : v.dim(0),
          KernelCost.of(0, xa, u, in.dx, in.dxa, du, dy));
    }

    @Override
    public void on(Kernels kernels) {
      kernels.lora().tangent(this);
    }
  }

  /**
   * @param theta (P)
   * @param gy ȳ (k,N,out)
   * @param h (k,N,r) out
   * @param in where x̄ and x̄ₐ go
   */
  record Backward(LoraLinear layer, Tensor theta, Tensor gy, Tensor h, InputAdjoint in)
      implements KernelCall {
    @Override
    public String name() {
      return "lora.backward";
    }

    @Override
    public void require(Arguments check) {
      check.rank("gy", gy, 3);
      long k = gy.dim(0);
      long n = gy.dim(1);
      check.columns("gy", gy, k, n, layer.weight().out());
      in.require(check, layer, true, k, n);
      if (layer.hasAdapter()) {
        layer.requireFit(check);
        check.columns("h", h, k, n, layer.slot().rank());
        check.holding("theta", layer.slot(), theta, 1);
      }
    }

    @Override
    public KernelCost cost(DType weights) {
      return layer.cost(
          weights,
          gy.dim(0) * gy.dim(1),
          in.gx != null,
          in.any() ? 1 : 0,
          1,
          theta,
          0,
          KernelCost.of(0, gy, h, in.gx, in.gxa));
    }

    @Override
    public void on(Kernels kernels) {
      kernels.lora().backward(this);
    }
  }

  /**
   * @param theta (P)
   * @param v (k,P)
   * @param gy primal ȳ (N,out)
   * @param h primal (N,r)
   * @param dgy ȳ̇ (k,N,out) or null
   * @param dh ḣ (k,N,r) out
   * @param in where x̄̇ and x̄̇ₐ go
   */
  record BackwardTangent(
      LoraLinear layer,
      Tensor theta,
      Tensor v,
      Tensor gy,
      Tensor h,
      Tensor dgy,
      Tensor dh,
      InputAdjoint in)
      implements KernelCall {
    /** k. */
    public long directions() {
      return shape().dim(0);
    }

    /** N. */
    public long rows() {
      return shape().dim(1);
    }

    private Tensor shape() {
      return layer.hasAdapter() ? dh : in.gx;
    }

    @Override
    public String name() {
      return "lora.backwardTangent";
    }

    @Override
    public void require(Arguments check) {
      check.rank(layer.hasAdapter() ? "dh" : "adjoint of x", shape(), 3);
      long k = directions();
      long n = rows();
      check.columnsOrNull("dgy", dgy, k, n, layer.weight().out());
      in.require(check, layer, dgy != null, k, n);
      if (layer.hasAdapter()) {
        LoraSlot slot = layer.slot();
        layer.requireFit(check);
        check.columns("gy", gy, n, slot.out());
        check.columns("h", h, n, slot.rank());
        check.columns("dh", dh, k, n, slot.rank());
        check.holding("theta", slot, theta, 1);
        layer.requireDirections(check, v, k);
      }
    }

    @Override
    public KernelCost cost(DType weights) {
      return layer.cost(
          weights,
          directions() * rows(),
          dgy != null && in.gx != null,
          in.any() ? 2 : 0,
          dgy != null ? 2 : 1,
          theta,
          v == null ? 0 : v.dim(0),
          KernelCost.of(0, gy, h, dgy, dh, in.gx, in.gxa));
    }

    @Override
    public void on(Kernels kernels) {
      kernels.lora().backwardTangent(this);
    }
  }
}
