package dev.lethe.autograd;

import dev.lethe.backend.AttentionShape;
import dev.lethe.backend.FrozenEmbedding;
import dev.lethe.backend.FrozenLinear;
import dev.lethe.backend.LoraLinear;
import dev.lethe.backend.Packing;
import dev.lethe.backend.RopeTable;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * The closed set of differentiable operations. Each record names its inputs and outputs as {@link Value}s
 * and holds its frozen data; the four rule tables say what it does.
 *
 * <p>An operation with internal results lists them as outputs as well, and their other modes hold the
 * matching internal quantity: for LoRA's u, the tangent is u̇, the adjoint slot holds h = ȳB and its
 * tangent ḣ; for attention's log-sum-exp L, the tangent is μ and the adjoint slot holds D.
 */
public sealed interface Op {
  /** Values it reads. */
  List<Value> inputs();

  /** Values it makes. */
  List<Value> outputs();

  /** Values whose primal and tangent the later modes of this operation read. */
  default List<Value> saved() {
    return List.of();
  }

  /** Values whose adjoint the backward tangent, or a parameter gradient, of this operation reads. */
  default List<Value> savedAdjoints() {
    return List.of();
  }

  /** Whether any output depends on adapter parameters, so that it takes part in the other modes. */
  default boolean active() {
    return outputs().stream().anyMatch(Value::active);
  }

  /** Whether its backward adds to an adjoint that another consumer of the input has written. */
  default boolean accumulates() {
    return false;
  }

  /** y = table[ids]. */
  record Embedding(FrozenEmbedding table, Tensor ids, Value y) implements Op {
    @Override
    public List<Value> inputs() {
      return List.of();
    }

    @Override
    public List<Value> outputs() {
      return List.of(y);
    }
  }

  /** y = x, numbers that do not depend on parameters and were computed before; y is x's own memory. */
  record Input(Tensor x, Value y) implements Op {
    @Override
    public List<Value> inputs() {
      return List.of();
    }

    @Override
    public List<Value> outputs() {
      return List.of(y);
    }
  }

  /** s = x + f, y = w∘s·rstd(s); without f (null), s is x. */
  record RmsNorm(Tensor weight, double epsilon, Value x, Value f, Value s, Value y, Value r)
      implements Op {
    boolean hasResidual() {
      return f != null;
    }

    @Override
    public List<Value> inputs() {
      return hasResidual() ? List.of(x, f) : List.of(x);
    }

    @Override
    public List<Value> outputs() {
      return hasResidual() ? List.of(s, y, r) : List.of(y, r);
    }

    @Override
    public List<Value> saved() {
      return List.of(s, r);
    }

    @Override
    public List<Value> savedAdjoints() {
      return List.of(y);
    }
  }

  /** y = xWᵀ + bias + s(xₐAᵀ)Bᵀ with u = xₐAᵀ; u is null without an adapter. */
  record Linear(LoraLinear layer, Value x, Value xa, Value u, Value y) implements Op {
    boolean sharedInput() {
      return x.equals(xa);
    }

    @Override
    public List<Value> inputs() {
      return sharedInput() ? List.of(x) : List.of(x, xa);
    }

    @Override
    public List<Value> outputs() {
      return layer.hasAdapter() ? List.of(u, y) : List.of(y);
    }

    @Override
    public List<Value> saved() {
      return layer.hasAdapter() ? List.of(xa, u) : List.of();
    }

    @Override
    public List<Value> savedAdjoints() {
      return layer.hasAdapter() ? List.of(u, y) : List.of();
    }

    @Override
    public boolean accumulates() {
      return true;
    }
  }

  /** y = x rotated by position, in x's own memory. */
  record Rope(RopeTable table, Tensor positions, Value x, Value y) implements Op {
    @Override
    public List<Value> inputs() {
      return List.of(x);
    }

    @Override
    public List<Value> outputs() {
      return List.of(y);
    }
  }

  /** o = softmax(c q kᵀ) v, causal within each sequence; lse is the row log-sum-exp (heads,N). */
  record Attention(
      AttentionShape shape, Packing packing, Value q, Value k, Value v, Value o, Value lse)
      implements Op {
    @Override
    public List<Value> inputs() {
      return List.of(q, k, v);
    }

    @Override
    public List<Value> outputs() {
      return List.of(o, lse);
    }

    @Override
    public List<Value> saved() {
      return List.of(q, k, v, o, lse);
    }

    @Override
    public List<Value> savedAdjoints() {
      return List.of(o, lse);
    }
  }

  /** h = silu(a)∘b. */
  record SwiGlu(Value a, Value b, Value h) implements Op {
    @Override
    public List<Value> inputs() {
      return List.of(a, b);
    }

    @Override
    public List<Value> outputs() {
      return List.of(h);
    }

    @Override
    public List<Value> saved() {
      return List.of(a, b);
    }

    @Override
    public List<Value> savedAdjoints() {
      return List.of(h);
    }
  }

  /** y = x∘mask/(1−p), the mask a function of the seed and the rows' keys I32 (N,2). */
  record Dropout(double probability, long seed, Tensor keys, Value x, Value y) implements Op {
    @Override
    public List<Value> inputs() {
      return List.of(x);
    }

    @Override
    public List<Value> outputs() {
      return List.of(y);
    }

    @Override
    public boolean accumulates() {
      return true;
    }
  }

  /** y[j] = x[rows[j]]. */
  record SelectRows(Tensor rows, Value x, Value y) implements Op {
    @Override
    public List<Value> inputs() {
      return List.of(x);
    }

    @Override
    public List<Value> outputs() {
      return List.of(y);
    }
  }

  /**
   * The end of every tape: row losses −log softmax(x·headᵀ)[target], to be summed with weights.
   *
   * @param weights (M): 1/(supervised rows of the sample)
   * @param packing the samples' supervised rows
   * @param p the softmax (M,V), made only where products are wanted
   */
  record CrossEntropy(
      FrozenLinear head,
      Tensor targets,
      Tensor weights,
      Packing packing,
      Value x,
      Value loss,
      Value p)
      implements Op {
    @Override
    public List<Value> inputs() {
      return List.of(x);
    }

    @Override
    public List<Value> outputs() {
      return List.of(loss, p);
    }

    @Override
    public List<Value> saved() {
      return List.of(p);
    }
  }
}
