package dev.lethe.autograd;

import dev.lethe.autograd.op.Op;
import dev.lethe.autograd.op.Slots;
import dev.lethe.autograd.op.Value;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/** The two orders in which rules run over a tape up to its loss, and who may be forgotten when. */
final class Passes {
  /** Who sees the passes of the present work; unbound where nobody does. */
  static final ScopedValue<PassWatch> WATCH = ScopedValue.newInstance();

  private Passes() {}

  /**
   * Runs a rule over the operations in order, dropping each value of the slots after its last use
   * unless it is to be kept.
   */
  static void forward(Tape tape, boolean activeOnly, Slots slots, Set<Integer> keep, Consumer<Op> rule) {
    List<Op> ops = tape.body();
    for (int i = 0; i < ops.size(); i++) {
      Op op = ops.get(i);
      seen(tape, i + 1);
      if (activeOnly && !op.active()) {
        continue;
      }
      rule.accept(op);
      for (List<Value> values : List.of(op.inputs(), op.outputs())) {
        for (Value value : values) {
          if (tape.lastUse(value) == i && !keep.contains(value.id())) {
            slots.drop(value);
          }
        }
      }
    }
  }

  /**
   * Runs a rule over the active operations in reverse; after each, drops the outputs' entries of the
   * given slots (all readers of an output have run by then), except the adjoints to be kept.
   */
  static void reverse(
      Tape tape, Slots adjoints, Set<Integer> keep, List<Slots> consumed, Consumer<Op> rule) {
    int done = 0;
    for (Op op : tape.body().reversed()) {
      seen(tape, ++done);
      if (!op.active()) {
        continue;
      }
      rule.accept(op);
      for (Value value : op.outputs()) {
        if (!keep.contains(value.id())) {
          adjoints.drop(value);
        }
        consumed.forEach(slots -> slots.drop(value));
      }
      for (Value value : op.inputs()) {
        if (!value.active()) {
          adjoints.drop(value);
        }
      }
    }
  }

  private static void seen(Tape tape, int done) {
    if (WATCH.isBound()) {
      WATCH.get().onOperation(done, tape.body().size(), tape.packing().count());
    }
  }
}
