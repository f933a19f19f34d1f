package dev.lethe.backend;

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
  /** z = xWᵀ: x (M,D), z (M,V) out. For generation. */
  void logits(FrozenLinear head, Tensor x, Tensor z);

  /**
   * Where each row of logits is greatest, the lowest index of equals. For generation. The default serves
   * backends in host memory.
   *
   * @param z (M,V)
   * @param ids I32 (M) out
   */
  default void likeliest(Tensor z, Tensor ids) {
    Require.rank("loss.likeliest: z", z, 2);
    Require.tensor("loss.likeliest: ids", ids, DType.I32, z.dim(0));
    for (long row = 0; row < z.dim(0); row++) {
      double[] logits = z.row(row).toDoubles();
      int best = 0;
      for (int id = 1; id < logits.length; id++) {
        if (logits[id] > logits[best]) {
          best = id;
        }
      }
      ids.set(row, best);
    }
  }

  /**
   * Losses, and where asked for, what the derivative modes need; z̄ = w(p − onehot), x̄ = z̄W.
   *
   * @param x (M,D)
   * @param targets I32 (M)
   * @param weights (M); may be null where gx is null
   * @param rowLoss (M) out
   * @param p softmax (M,V) out, or null
   * @param gx x̄ (M,D) out, or null
   */
  void forward(
      FrozenLinear head,
      Tensor x,
      Tensor targets,
      Tensor weights,
      Tensor rowLoss,
      Tensor p,
      Tensor gx);

  /**
   * ż = ẋWᵀ, row loss tangent Σ p∘ż − ż[target].
   *
   * @param p kept softmax (M,V)
   * @param dx ẋ (k,M,D)
   * @param dLoss (k,M) out
   */
  void tangent(FrozenLinear head, Tensor p, Tensor targets, Tensor dx, Tensor dLoss);

  /**
   * The loss's own Hessian product, which is both the backward tangent and the Gauss-Newton middle
   * factor: z̄̇ = w p∘(ż − Σ p∘ż), x̄̇ = z̄̇W.
   *
   * @param p kept softmax (M,V)
   * @param weights (M)
   * @param dx ẋ (k,M,D)
   * @param dgx x̄̇ (k,M,D) out
   */
  void backwardTangent(FrozenLinear head, Tensor p, Tensor weights, Tensor dx, Tensor dgx);

  /**
   * Adjoints of x for labels drawn from the model itself: out[j][t] = √w·(p − onehot(y))·W, y ~ p[t]. Their
   * outer products have the Gauss-Newton middle factor w·Wᵀ(diag(p) − ppᵀ)W as their mean. From the primal
   * adjoint they follow without a product, as √w·(x̄/w + W[target] − W[y]); they are zero where w is. The
   * label is the first class at which the running sum of p, in double, exceeds {@link #uniform} times the sum
   * of all.
   *
   * @param p kept softmax (M,V)
   * @param targets I32 (M)
   * @param weights w (M), none negative
   * @param gx primal x̄ (M,D), as {@link #forward} gave it
   * @param labels I32 (q,M) out: y
   * @param out (q,M,D) out
   */
  void drawn(
      FrozenLinear head,
      Tensor p,
      Tensor targets,
      Tensor weights,
      Tensor gx,
      long seed,
      Tensor labels,
      Tensor out);

  /** The number in [0, 1) that decides the label of a row in a draw, by SplitMix64. */
  static double uniform(long seed, long draw, long row) {
    return SplitMix64.uniform(SplitMix64.bits(seed, draw), row);
  }
}
