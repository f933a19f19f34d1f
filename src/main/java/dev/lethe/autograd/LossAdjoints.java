package dev.lethe.autograd;

import dev.lethe.autograd.Gradients.AdapterRule;
import dev.lethe.autograd.Gradients.AdapterState;
import dev.lethe.backend.Backend;
import dev.lethe.backend.LossKernels;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;

/** The adjoints of a linearization's losses, made by backward passes when something reads them. */
final class LossAdjoints {
  private final Backend backend;
  private final Tape tape;
  private final Tensor theta;
  private final Slots primal;
  private final Slots kept;
  private final boolean keeps;
  private Adjoints made = Adjoints.NONE;

  /**
   * @param theta parameters (P)
   * @param scope where what is kept lives
   * @param primal the kept activations
   * @param keeps whether what was made once is kept
   */
  LossAdjoints(
      Backend backend, Tape tape, Tensor theta, Scope scope, Slots primal, boolean keeps) {
    this.backend = backend;
    this.tape = tape;
    this.theta = theta;
    this.primal = primal;
    this.kept = new Slots(backend, scope, tape);
    this.keeps = keeps;
  }

  /** Where the loss's forward leaves the adjoint of its input; null where none is to be kept. */
  Slots ofForward() {
    return keeps ? kept : null;
  }

  /** The kept adjoints, with at least the wanted ones among them. */
  Slots require(Adjoints wanted) {
    Value last = tape.loss().x();
    if (made.compareTo(wanted) < 0 && last.active()) {
      for (Op op : tape.ops()) {
        op.outputs().stream().filter(value -> !value.equals(last)).forEach(kept::drop);
      }
      if (!kept.has(last)) {
        runLoss(kept);
      }
      Set<Integer> keep = wanted == Adjoints.ALL ? tape.savedAdjoints() : ofAdapters();
      keep.add(last.id());
      reverse(kept, 1, keep, state -> {});
      made = wanted;
    }
    return kept;
  }

  /** Hands out every adapter's adjoints, the last adapter first: those kept, or made for this once. */
  void forEachAdapter(AdapterRule rule) {
    if (keeps) {
      Slots adjoints = require(Adjoints.ADAPTERS);
      for (Op op : tape.ops().reversed()) {
        if (op instanceof Op.Linear l && l.layer().hasAdapter()) {
          rule.apply(AdapterState.of(l, primal, adjoints));
        }
      }
    } else if (tape.loss().x().active()) {
      try (Scope pass = backend.openScope("adjoints")) {
        Slots once = new Slots(backend, pass, tape);
        runLoss(once);
        reverse(once, 1, Set.of(), rule);
      }
    }
  }

  /** The loss's adjoint of its input (M,D): the kept one, or one made in the given slots. */
  Tensor ofLoss(Slots otherwise) {
    Slots slots = keeps ? kept : otherwise;
    if (!slots.has(tape.loss().x())) {
      runLoss(slots);
    }
    return slots.single(tape.loss().x());
  }

  /**
   * Runs backward from k adjoints of the loss's input, which the slots hold.
   *
   * @param rule what to do with each adapter's adjoints
   */
  void reverse(Slots adjoints, long k, AdapterRule rule) {
    reverse(adjoints, k, Set.of(), rule);
  }

  private void reverse(Slots adjoints, long k, Set<Integer> keep, AdapterRule rule) {
    Consumer<Op.Linear> adapters = op -> rule.apply(AdapterState.of(op, primal, adjoints));
    BackwardRules rules = new BackwardRules(backend, theta, k, primal, adjoints, adapters);
    Passes.reverse(tape, adjoints, keep, List.of(), rules::apply);
  }

  /** Runs the loss again for the adjoint of its input, which its first run was not asked for. */
  private void runLoss(Slots adjoints) {
    Op.CrossEntropy end = tape.loss();
    Tensor gx = adjoints.allocate(end.x(), 1).row(0);
    try (Scope scratch = backend.openScope("loss")) {
      Tensor losses = scratch.allocate(backend.vectorType(), end.x().rows());
      backend.run(
          new LossKernels.Forward(
              end.head(), primal.get(end.x()), end.targets(), end.weights(), losses, null, gx));
    }
  }

  private Set<Integer> ofAdapters() {
    Set<Integer> ids = new TreeSet<>();
    for (Op op : tape.ops()) {
      if (op instanceof Op.Linear l) {
        l.savedAdjoints().forEach(value -> ids.add(value.id()));
      }
    }
    return ids;
  }
}
