package dev.lethe.autograd;

import dev.lethe.autograd.Gradients.AdapterRule;
import dev.lethe.autograd.op.Adapter;
import dev.lethe.autograd.op.BackwardPass;
import dev.lethe.autograd.op.Op;
import dev.lethe.autograd.op.Slots;
import dev.lethe.autograd.op.Value;
import dev.lethe.backend.Backend;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** The adjoints of a linearization's losses, made by backward passes when something reads them. */
final class LossAdjoints {
  private final Backend backend;
  private final Tape tape;
  private final Tensor theta;
  private final Slots primal;
  private final Slots kept;
  private final boolean keepsLoss;
  private final boolean keeps;
  private Adjoints made = Adjoints.NONE;

  /**
   * @param theta parameters (P)
   * @param scope where what is kept lives
   * @param primal the kept activations
   * @param wanted from {@link Adjoints#ADAPTERS} on, what was made once is kept
   */
  LossAdjoints(
      Backend backend, Tape tape, Tensor theta, Scope scope, Slots primal, Adjoints wanted) {
    this.backend = backend;
    this.tape = tape;
    this.theta = theta;
    this.primal = primal;
    this.kept = Slots.ofAdjoints(backend, scope, tape.layout(), 1);
    this.keepsLoss = wanted != Adjoints.NONE;
    this.keeps = wanted.compareTo(Adjoints.LOSS) > 0;
  }

  /** Where the loss's forward leaves the adjoint of its input; null where none is to be kept. */
  Slots ofForward() {
    return keepsLoss ? kept : null;
  }

  /** Whether adjoints that a pass makes stay. */
  boolean keeps() {
    return keeps;
  }

  /** Slots of the given scope where a backward pass may begin: they hold the adjoint of the loss's input. */
  Slots begun(Scope scope) {
    Slots slots = Slots.ofAdjoints(backend, scope, tape.layout(), 1);
    Value last = tape.loss().x();
    if (kept.has(last)) {
      slots.lend(kept.get(last), last);
    } else {
      tape.loss().backward(pass(slots));
    }
    return slots;
  }

  /** The kept adjoints, with at least the wanted ones among them. */
  Slots require(Adjoints wanted) {
    Value last = tape.loss().x();
    if (made.compareTo(wanted) < 0 && last.active()) {
      for (Op op : tape.ops()) {
        op.outputs().stream().filter(value -> !value.equals(last)).forEach(kept::drop);
      }
      if (!kept.has(last)) {
        tape.loss().backward(pass(kept));
      }
      Set<Integer> keep = wanted == Adjoints.ALL ? tape.savedAdjoints() : ofAdapters();
      keep.add(last.id());
      Gradients.reverse(tape, pass(kept), keep, List.of(), (slot, kept) -> {});
      made = wanted;
    }
    return kept;
  }

  /** Hands out every adapter's adjoints, the last adapter first: those kept, or made for this once. */
  void forEachAdapter(AdapterRule rule) {
    if (keeps) {
      Slots adjoints = require(Adjoints.ADAPTERS);
      for (Op op : tape.ops().reversed()) {
        rule.apply(op.adapters(), primal, adjoints);
      }
    } else if (tape.loss().x().active()) {
      try (Scope pass = backend.openScope("adjoints")) {
        reverse(begun(pass), rule);
      }
    }
  }

  /** The loss's adjoint of its input (M,D): the kept one, or one made in the given scope. */
  Tensor ofLoss(Scope scope) {
    return begun(scope).single(tape.loss().x());
  }

  /**
   * Runs backward from the adjoints of the loss's input, which the slots hold.
   *
   * @param rule what to do with each adapter's adjoints
   */
  void reverse(Slots adjoint, AdapterRule rule) {
    Gradients.reverse(tape, pass(adjoint), Set.of(), List.of(), rule);
  }

  /** A backward pass over the kept activations. */
  BackwardPass pass(Slots adjoint) {
    return new BackwardPass(backend, theta, primal, adjoint);
  }

  private Set<Integer> ofAdapters() {
    Set<Integer> ids = new TreeSet<>();
    for (Op op : tape.ops()) {
      for (Adapter adapter : op.adapters()) {
        ids.add(adapter.u().id());
        ids.add(adapter.y().id());
      }
    }
    return ids;
  }
}
