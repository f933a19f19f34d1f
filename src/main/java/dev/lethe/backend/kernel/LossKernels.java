package dev.lethe.backend.kernel;

import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.SplitMix64;
import dev.lethe.tensor.Tensor;

/**
 * The vocabulary head and the cross-entropy behind it, in one operation: z = xWᵀ (plus the
 * head's bias where it has one), p = softmax(z), loss = −log p[target] per row. M is the number of
 * supervised rows, V the vocabulary. Logits exist in blocks of rows only, except where p is asked
 * for. The objective is Σ weights·loss, so the adjoint of each row's loss is its weight.
 */
public interface LossKernels {
  /** z = xWᵀ. For generation. */
  void logits(Logits call);

  /**
   * Where each row of logits is greatest, the lowest index of equals. For generation. The default serves
   * backends in host memory.
   */
  default void likeliest(Likeliest call) {
    for (long row = 0; row < call.z.dim(0); row++) {
      double[] logits = call.z.row(row).toDoubles();
      int best = 0;
      for (int id = 1; id < logits.length; id++) {
        if (logits[id] > logits[best]) {
          best = id;
        }
      }
      call.ids.set(row, best);
    }
  }

  /** Losses, and where asked for, what the derivative modes need; z̄ = w(p − onehot), x̄ = z̄W. */
  void forward(Forward call);

  /** ż = ẋWᵀ, row loss tangent Σ p∘ż − ż[target]. */
  void tangent(Tangent call);

  /**
   * The loss's own Hessian product, which is both the backward tangent and the Gauss-Newton middle
   * factor: z̄̇ = w p∘(ż − Σ p∘ż), x̄̇ = z̄̇W.
   */
  void backwardTangent(BackwardTangent call);

  /**
   * Adjoints of x for labels drawn from the model itself: out[j][t] = √w·(p − onehot(y))·W, y ~ p[t]. Their
   * outer products have the Gauss-Newton middle factor w·Wᵀ(diag(p) − ppᵀ)W as their mean. From the primal
   * adjoint they follow without a product, as √w·(x̄/w + W[target] − W[y]); they are zero where w is. The
   * label is the first class at which the running sum of p, in double, exceeds {@link #uniform} times the sum
   * of all.
   */
  void drawn(Drawn call);

  /** The number in [0, 1) that decides the label of a row in a draw, by SplitMix64. */
  static double uniform(long seed, long draw, long row) {
    return SplitMix64.uniform(SplitMix64.bits(seed, draw), row);
  }

  /** x (M,D); z (M,V) out. */
  record Logits(FrozenLinear head, Tensor x, Tensor z) implements KernelCall {
    @Override
    public String name() {
      return "loss.logits";
    }

    @Override
    public void require(Arguments check) {
      check.rank("x", x, 2);
      check.activation("x", x, x.dim(0), head.in());
      check.activation("z", z, x.dim(0), head.out());
    }

    @Override
    public KernelCost cost(DType weights) {
      return ofHead(head, weights, x.dim(0), KernelCost.of(0, x, z));
    }

    @Override
    public void on(Kernels kernels) {
      kernels.loss().logits(this);
    }
  }

  /** z (M,V); ids I32 (M) out. */
  record Likeliest(Tensor z, Tensor ids) implements KernelCall {
    @Override
    public String name() {
      return "loss.likeliest";
    }

    @Override
    public void require(Arguments check) {
      check.rank("z", z, 2);
      check.activation("z", z, z.dim(0), z.dim(1));
      check.integers("ids", ids, z.dim(0));
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, z, ids);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.loss().likeliest(this);
    }
  }

  /**
   * @param x (M,D)
   * @param targets I32 (M)
   * @param weights (M); may be null where gx is null
   * @param rowLoss (M) out
   * @param p softmax (M,V) out, or null
   * @param gx x̄ (M,D) out, or null; needs a head frozen with its transpose
   */
  record Forward(
      FrozenLinear head,
      Tensor x,
      Tensor targets,
      Tensor weights,
      Tensor rowLoss,
      Tensor p,
      Tensor gx)
      implements KernelCall {
    @Override
    public String name() {
      return "loss.forward";
    }

    @Override
    public void require(Arguments check) {
      check.rank("x", x, 2);
      long m = x.dim(0);
      check.activation("x", x, m, head.in());
      check.integers("targets", targets, m);
      check.vector("rowLoss", rowLoss, m);
      check.activationOrNull("p", p, m, head.out());
      if (gx != null) {
        check.activation("gx", gx, m, head.in());
        check.vector("weights", weights, m);
        requireTransposed(check, head);
      }
    }

    @Override
    public KernelCost cost(DType frozen) {
      KernelCost tensors = KernelCost.of(0, x, targets, weights, rowLoss, p, gx);
      return ofHead(head, frozen, gx == null ? x.dim(0) : 2 * x.dim(0), tensors);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.loss().forward(this);
    }
  }

  /**
   * @param p kept softmax (M,V)
   * @param targets I32 (M)
   * @param dx ẋ (k,M,D)
   * @param dLoss (k,M) out
   */
  record Tangent(FrozenLinear head, Tensor p, Tensor targets, Tensor dx, Tensor dLoss)
      implements KernelCall {
    @Override
    public String name() {
      return "loss.tangent";
    }

    @Override
    public void require(Arguments check) {
      long m = requireTangent(check, head, p, dx);
      check.integers("targets", targets, m);
      check.vector("dLoss", dLoss, dx.dim(0), m);
    }

    @Override
    public KernelCost cost(DType weights) {
      return ofHead(head, weights, dx.shape().rows(), KernelCost.of(0, p, targets, dx, dLoss));
    }

    @Override
    public void on(Kernels kernels) {
      kernels.loss().tangent(this);
    }
  }

  /**
   * @param head frozen with its transpose
   * @param p kept softmax (M,V)
   * @param weights (M)
   * @param dx ẋ (k,M,D)
   * @param dgx x̄̇ (k,M,D) out
   */
  record BackwardTangent(FrozenLinear head, Tensor p, Tensor weights, Tensor dx, Tensor dgx)
      implements KernelCall {
    @Override
    public String name() {
      return "loss.backwardTangent";
    }

    @Override
    public void require(Arguments check) {
      long m = requireTangent(check, head, p, dx);
      check.vector("weights", weights, m);
      check.activation("dgx", dgx, dx.dim(0), m, head.in());
      requireTransposed(check, head);
    }

    @Override
    public KernelCost cost(DType frozen) {
      return ofHead(head, frozen, 2 * dx.shape().rows(), KernelCost.of(0, p, weights, dx, dgx));
    }

    @Override
    public void on(Kernels kernels) {
      kernels.loss().backwardTangent(this);
    }
  }

  /**
   * @param head frozen with its transpose
   * @param p kept softmax (M,V)
   * @param targets I32 (M)
   * @param weights w (M), none negative
   * @param gx primal x̄ (M,D), as {@link #forward} gave it
   * @param labels I32 (q,M) out: y
   * @param out (q,M,D) out
   */
  record Drawn(
      FrozenLinear head,
      Tensor p,
      Tensor targets,
      Tensor weights,
      Tensor gx,
      long seed,
      Tensor labels,
      Tensor out)
      implements KernelCall {
    @Override
    public String name() {
      return "loss.drawn";
    }

    @Override
    public void require(Arguments check) {
      check.rank("out", out, 3);
      long q = out.dim(0);
      long m = out.dim(1);
      check.activation("out", out, q, m, head.in());
      check.activation("p", p, m, head.out());
      check.integers("targets", targets, m);
      check.vector("weights", weights, m);
      check.activation("gx", gx, m, head.in());
      check.integers("labels", labels, q, m);
      requireTransposed(check, head);
    }

    @Override
    public KernelCost cost(DType frozen) {
      double rowsOfLabels = (double) out.elements() * frozen.bytes(); // of W no others are read
      return KernelCost.of(0, p, targets, weights, gx, labels, out)
          .plus(new KernelCost(0, rowsOfLabels));
    }

    @Override
    public void on(Kernels kernels) {
      kernels.loss().drawn(this);
    }
  }

  private static long requireTangent(Arguments check, FrozenLinear head, Tensor p, Tensor dx) {
    check.rank("dx", dx, 3);
    long m = dx.dim(1);
    check.activation("dx", dx, dx.dim(0), m, head.in());
    check.activation("p", p, m, head.out());
    return m;
  }

  private static void requireTransposed(Arguments check, FrozenLinear head) {
    check.that(head.transposed(), "head", "one frozen with transposed = true", "one without");
  }

  /** Rows multiplied by the head, which is read once. */
  private static KernelCost ofHead(
      FrozenLinear head, DType weights, long rows, KernelCost tensors) {
    double size = (double) head.in() * head.out();
    return tensors.plus(new KernelCost(2 * rows * size, size * weights.bytes()));
  }
}
