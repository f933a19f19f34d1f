package dev.lethe.autograd;

import dev.lethe.backend.AttentionShape;
import dev.lethe.backend.FrozenEmbedding;
import dev.lethe.backend.FrozenLinear;
import dev.lethe.backend.LoraLinear;
import dev.lethe.backend.Packing;
import dev.lethe.backend.RopeTable;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * One forward pass of a batch, recorded as a list of operations on numbered values; nothing is computed
 * while recording. The methods mirror {@link Op}. A tape ends with {@link #crossEntropy}, or
 * with {@link #end}.
 *
 * <p>An active value may be read by several operations only where their backward modes add up ({@link
 * Op#accumulates}: linear layers and dropout); record a residual through {@link #rmsNorm}, which passes
 * the sum on.
 */
public final class Tape {
  private final Packing packing;
  private final List<Op> ops = new ArrayList<>();
  private final List<Op> consumers = new ArrayList<>();
  private int[] lastUse;

  /**
   * @param packing the samples of the batch, whose rows are the tokens
   */
  public Tape(Packing packing) {
    this.packing = packing;
  }

  /** ids I32 (N); gives (N,D). */
  public Value embedding(FrozenEmbedding table, Tensor ids) {
    Value y = activation(ids.elements(), table.width(), false);
    record(new Op.Embedding(table, ids, y));
    return y;
  }

  /** x (N,D) in activation format, computed before, alive as long as the tape is used; gives (N,D). */
  public Value input(Tensor x) {
    Value y = activation(x.dim(0), x.dim(1), false);
    record(new Op.Input(x, y));
    return y;
  }

  /** x (N,D), f (N,D) or null; gives the sum and the normed sum. */
  public Normed rmsNorm(Tensor weight, double epsilon, Value x, Value f) {
    boolean active = x.active() || (f != null && f.active());
    Value s = f == null ? x : activation(x.rows(), x.width(), active);
    Value y = activation(x.rows(), x.width(), active);
    Value r = statistic(1, x.rows(), active);
    record(new Op.RmsNorm(weight, epsilon, x, f, s, y, r));
    return new Normed(s, y);
  }

  /** x and the adapter's input xa (N,in), mostly the same; gives (N,out). */
  public Value linear(LoraLinear layer, Value x, Value xa) {
    boolean adapter = layer.hasAdapter();
    Value u = adapter ? activation(x.rows(), layer.slot().rank(), true) : null;
    Value y = activation(x.rows(), layer.weight().out(), adapter || x.active());
    record(new Op.Linear(layer, x, xa, u, y));
    return y;
  }

  /** x (N,heads·headSize); gives the same shape. */
  public Value rope(RopeTable table, Tensor positions, Value x) {
    Value y = activation(x.rows(), x.width(), x.active());
    record(new Op.Rope(table, positions, x, y));
    return y;
  }

  /** q (N,Hq), k and v (N,Hk); gives (N,Hq). */
  public Value attention(AttentionShape shape, Value q, Value k, Value v) {
    boolean active = q.active() || k.active() || v.active();
    Value o = activation(q.rows(), q.width(), active);
    Value lse = statistic(shape.heads(), q.rows(), active);
    record(new Op.Attention(shape, packing, q, k, v, o, lse));
    return o;
  }

  /** a, b (N,F); gives (N,F). */
  public Value swiGlu(Value a, Value b) {
    Value h = activation(a.rows(), a.width(), a.active() || b.active());
    record(new Op.SwiGlu(a, b, h));
    return h;
  }

  /** Row keys I32 (N,2), x (N,D); gives the same shape as x. */
  public Value dropout(double probability, long seed, Tensor keys, Value x) {
    Value y = activation(x.rows(), x.width(), x.active());
    record(new Op.Dropout(probability, seed, keys, x, y));
    return y;
  }

  /** rows I32 (M), x (N,D); gives (M,D). */
  public Value selectRows(Tensor rows, Value x) {
    Value y = activation(rows.elements(), x.width(), x.active());
    record(new Op.SelectRows(rows, x, y));
    return y;
  }

  /**
   * Ends the tape with the losses of the supervised rows.
   *
   * @param x (M,D)
   * @param targets I32 (M)
   * @param weights (M) in vector format
   * @param supervised the samples' supervised rows; as many sequences as the tape's packing
   */
  public void crossEntropy(
      FrozenLinear head, Value x, Tensor targets, Tensor weights, Packing supervised) {
    if (supervised.count() != packing.count() || supervised.rows() != x.rows()) {
      throw new IllegalArgumentException(
          "cross-entropy over %s for a batch of %s, %d rows"
              .formatted(supervised, packing, x.rows()));
    }
    Value loss = statistic(1, x.rows(), x.active());
    Value p = activation(x.rows(), head.out(), x.active());
    record(new Op.CrossEntropy(head, targets, weights, supervised, x, loss, p));
    end();
  }

  /** Ends the tape without a loss: its values are all that is wanted. */
  public void end() {
    lastUse = lastUses();
  }

  /** The samples of the batch. */
  public Packing packing() {
    return packing;
  }

  /** The recorded operations, in order. */
  public List<Op> ops() {
    return Collections.unmodifiableList(ops);
  }

  /** The end of the tape. */
  public Op.CrossEntropy loss() {
    if (lastUse == null || !(ops.getLast() instanceof Op.CrossEntropy end)) {
      throw new IllegalStateException("the tape has no loss yet; record crossEntropy last");
    }
    return end;
  }

  int valueCount() {
    return consumers.size();
  }

  /** Index of the last operation that touches the value in forward order. */
  int lastUse(Value value) {
    return lastUse[value.id()];
  }

  /** Numbers of the values whose primal and tangent later modes read. */
  Set<Integer> savedPrimals() {
    return activeIds(Op::saved);
  }

  /** Numbers of the values whose adjoint products read. */
  Set<Integer> savedAdjoints() {
    return activeIds(Op::savedAdjoints);
  }

  private Set<Integer> activeIds(Function<Op, List<Value>> values) {
    return ops.stream()
        .filter(Op::active)
        .flatMap(op -> values.apply(op).stream())
        .map(Value::id)
        .collect(Collectors.toCollection(TreeSet::new));
  }

  private Value activation(long rows, long width, boolean active) {
    return value(rows, width, Value.Kind.ACTIVATION, active);
  }

  private Value statistic(long rows, long width, boolean active) {
    return value(rows, width, Value.Kind.STATISTIC, active);
  }

  private Value value(long rows, long width, Value.Kind kind, boolean active) {
    consumers.add(null);
    return new Value(consumers.size() - 1, rows, width, kind, active);
  }

  private void record(Op op) {
    if (lastUse != null) {
      throw new IllegalStateException("the tape has ended; record on a new one");
    }
    for (Value input : op.inputs()) {
      Op other = consumers.get(input.id());
      boolean addsUp = other == null || (other.accumulates() && op.accumulates());
      if (input.active() && !addsUp) {
        throw new IllegalArgumentException(
            "value %d is read by %s and by %s; only linear layers and dropout may share an input"
                .formatted(
                    input.id(), other.getClass().getSimpleName(), op.getClass().getSimpleName()));
      }
      consumers.set(input.id(), op);
    }
    ops.add(op);
  }

  private int[] lastUses() {
    int[] last = new int[valueCount()];
    Arrays.fill(last, -1);
    for (int i = 0; i < ops.size(); i++) {
      for (Value v : ops.get(i).inputs()) {
        last[v.id()] = i;
      }
      for (Value v : ops.get(i).outputs()) {
        last[v.id()] = i;
      }
    }
    return last;
  }

  /**
   * @param sum s = x + f, for the next residual
   * @param normed the input of the next layer
   */
  public record Normed(Value sum, Value normed) {}
}
