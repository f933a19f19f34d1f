package dev.lethe.autograd;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.autograd.op.CrossEntropy;
import dev.lethe.autograd.op.Layout;
import dev.lethe.autograd.op.Op;
import dev.lethe.autograd.op.Recorder;
import dev.lethe.autograd.op.Value;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.backend.kernel.operand.Packing;
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
 * One forward pass of a batch, recorded as a list of operations on numbered values; nothing is computed while
 * recording. Operations record themselves, as in {@code GatedUnit.on(tape, f, gate, up)}. A tape ends with {@link #crossEntropy}, or
 * with {@link #end}.
 *
 * <p>An active value may be read by several operations only where their backward modes add up ({@link
 * Op#accumulates}: linear layers and dropout); record a residual through a norm, which passes the sum on.
 */
public final class Tape implements Recorder {
  private final Packing packing;
  private final List<Op> ops = new ArrayList<>();
  private final List<Op> consumers = new ArrayList<>();
  private CrossEntropy loss;
  private int[] lastUse;
  private Layout layout;

  /**
   * @param packing the samples of the batch, whose rows are the tokens
   */
  public Tape(Packing packing) {
    this.packing = packing;
  }

  @Override
  public Packing packing() {
    return packing;
  }

  @Override
  public Value activation(long rows, long width, boolean active) {
    return value(rows, width, Value.Kind.ACTIVATION, active);
  }

  @Override
  public Value statistic(long rows, long width, boolean active) {
    return value(rows, width, Value.Kind.STATISTIC, active);
  }

  /**
   * Records an operation on values of this tape.
   *
   * @throws ArgumentException where it reads an active value that another operation reads, and their backward
   *     modes do not add up
   * @throws IllegalStateException where the tape has ended
   */
  @Override
  public <O extends Op> O record(O op) {
    if (lastUse != null) {
      throw new IllegalStateException("the tape has ended; record on a new one");
    }
    for (Value input : op.inputs()) {
      Op other = consumers.get(input.id());
      boolean addsUp = other == null || (other.accumulates() && op.accumulates());
      if (input.active() && !addsUp) {
        throw new ArgumentException(
            Text.format(
                "value %d is read by %s and by %s; only operations that add up adjoints may share an input",
                input.id(), other.getClass().getSimpleName(), op.getClass().getSimpleName()));
      }
      consumers.set(input.id(), op);
    }
    ops.add(op);
    return op;
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
    loss = CrossEntropy.on(this, head, x, targets, weights, supervised);
    end();
  }

  /** Ends the tape without a loss: its values are all that is wanted. */
  public void end() {
    lastUse = lastUses();
    layout = new Layout(ops(), valueCount());
  }

  /** The recorded operations, in order. */
  public List<Op> ops() {
    return Collections.unmodifiableList(ops);
  }

  /** The recorded operations but the loss. */
  List<Op> body() {
    return loss == null ? ops() : ops().subList(0, ops.size() - 1);
  }

  /** The end of the tape. */
  public CrossEntropy loss() {
    if (loss == null) {
      throw new IllegalStateException("the tape has no loss yet; record crossEntropy last");
    }
    return loss;
  }

  private int valueCount() {
    return consumers.size();
  }

  /** Which of its values lie side by side, from its end on. */
  Layout layout() {
    return layout;
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

  private Value value(long rows, long width, Value.Kind kind, boolean active) {
    consumers.add(null);
    return new Value(consumers.size() - 1, rows, width, kind, active);
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
}
