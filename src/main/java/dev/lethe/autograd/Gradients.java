package dev.lethe.autograd;

import dev.lethe.backend.Backend;
import dev.lethe.backend.LoraKernels;
import dev.lethe.backend.LoraSlot;
import dev.lethe.backend.Packing;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;

/**
 * Losses and first derivatives of a tape, run once and forgotten: memory is freed as the passes go. ℓᵢ is
 * the mean cross-entropy over the supervised rows of sample i.
 */
public final class Gradients {
  private Gradients() {}

  /** ℓᵢ of every sample, one forward. */
  public static double[] losses(Backend backend, Tape tape, Tensor theta) {
    try (Scope scope = backend.openScope("losses")) {
      Slots primal = new Slots(backend, scope, tape);
      Op.CrossEntropy end = tape.loss();
      ForwardRules rules = new ForwardRules(backend, theta, primal, null, false);
      Passes.forward(tape, false, primal, Set.of(end.loss().id()), rules::apply);
      return sampleLosses(backend, end, primal.get(end.loss()));
    }
  }

  /**
   * Softmax of every supervised row, one forward.
   *
   * @return host tensor F64 (M,V), rows in the order of the batch
   */
  public static Tensor probabilities(Backend backend, Tape tape, Tensor theta) {
    try (Scope scope = backend.openScope("probabilities")) {
      Slots primal = new Slots(backend, scope, tape);
      Op.CrossEntropy end = tape.loss();
      ForwardRules rules = new ForwardRules(backend, theta, primal, null, true);
      Passes.forward(tape, false, primal, Set.of(end.p().id()), rules::apply);
      Tensor p = primal.get(end.p());
      return Tensor.of(p.shape(), download(backend, p));
    }
  }

  /** Copies a value of a tape (rows,width) into host memory: one forward. */
  public static void value(
      Backend backend, Tape tape, Tensor theta, Value wanted, Tensor host) {
    try (Scope scope = backend.openScope("value")) {
      Slots primal = new Slots(backend, scope, tape);
      ForwardRules rules = new ForwardRules(backend, theta, primal, null, false);
      Passes.forward(tape, false, primal, Set.of(wanted.id()), rules::apply);
      backend.download(primal.get(wanted), host);
    }
  }

  /**
   * Adds scale·Σᵢ∇ℓᵢ to g.
   *
   * @param theta parameters (P)
   * @param g (P)
   * @return ℓᵢ of every sample
   */
  public static double[] addGradient(
      Backend backend, Tape tape, Tensor theta, double scale, Tensor g) {
    Tensor row = g.reshape(1, g.elements());
    return run(
        backend,
        tape,
        theta,
        a -> backend.run(new LoraKernels.Gradient(a.slot(), a.kept(), scale, row)));
  }

  /**
   * Stores ∇ℓᵢ of every sample.
   *
   * @param g (n,P), row i for sample i of the tape
   * @return ℓᵢ of every sample
   */
  public static double[] perSample(Backend backend, Tape tape, Tensor theta, Tensor g) {
    return run(
        backend,
        tape,
        theta,
        a ->
            backend.run(
                new LoraKernels.PerSampleGradient(
                    a.slot(), tape.packing(), a.kept().row(0), 1, g)));
  }

  /**
   * Adds scale·Σᵢ weights[j][i]·∇ℓᵢ to each row j of g.
   *
   * @param weights (k,n), one for every sample of the tape
   * @param g (k,P)
   * @return ℓᵢ of every sample
   */
  public static double[] addWeightedGradient(
      Backend backend, Tape tape, Tensor theta, Tensor weights, double scale, Tensor g) {
    return run(
        backend,
        tape,
        theta,
        a ->
            backend.run(
                new LoraKernels.WeightedGradient(
                    a.slot(), tape.packing(), weights, a.kept().row(0), scale, g)));
  }

  private static double[] run(Backend backend, Tape tape, Tensor theta, AdapterRule rule) {
    Op.CrossEntropy end = tape.loss();
    try (Scope scope = backend.openScope("losses")) {
      Tensor rowLosses = scope.allocate(backend.vectorType(), end.weights().elements());
      run(backend, tape, theta, rowLosses, rule);
      return sampleLosses(backend, end, rowLosses);
    }
  }

  /**
   * One forward and one backward, without waiting for the device.
   *
   * @param rowLosses (M) out, the loss of every supervised row
   * @param rule what to do with each adapter's adjoints
   */
  static void run(
      Backend backend, Tape tape, Tensor theta, Tensor rowLosses, AdapterRule rule) {
    try (Scope scope = backend.openScope("gradient")) {
      Slots primal = new Slots(backend, scope, tape);
      Slots adjoint = new Slots(backend, scope, tape);
      Op.CrossEntropy end = tape.loss();
      ForwardRules forward = new ForwardRules(backend, theta, primal, adjoint, false);
      Set<Integer> keep = tape.savedPrimals();
      keep.add(end.loss().id());
      Passes.forward(tape, false, primal, keep, forward::apply);
      Tensor losses = primal.get(end.loss());
      backend.vectors().copy(losses.reshape(losses.elements()), rowLosses);
      Consumer<Op.Linear> adapters = op -> rule.apply(AdapterState.of(op, primal, adjoint));
      BackwardRules backward = new BackwardRules(backend, theta, 1, primal, adjoint, adapters);
      Passes.reverse(tape, adjoint, Set.of(), List.of(primal), backward::apply);
    }
  }

  /** Weighted sums of row losses over each sample's rows. */
  static double[] sampleLosses(Backend backend, Op.CrossEntropy end, Tensor rowLoss) {
    double[] rows = download(backend, rowLoss);
    double[] weights = download(backend, end.weights());
    return sampleSums(end.packing(), rows, 0, weights);
  }

  static double[] sampleSums(Packing packing, double[] rows, int first, double[] weights) {
    double[] sums = new double[packing.count()];
    for (int i = 0; i < sums.length; i++) {
      for (int row = packing.start(i); row < packing.end(i); row++) {
        sums[i] += weights[row] * rows[first + row];
      }
    }
    return sums;
  }

  static double[] download(Backend backend, Tensor tensor) {
    double[] values = new double[Math.toIntExact(tensor.elements())];
    backend.download(tensor, Tensor.of(Shape.of(values.length), values));
    return values;
  }

  /** What an adapter's parameter rules read; h (k,N,r) and gy (k,N,out). */
  record AdapterState(Op.Linear op, Tensor xa, Tensor u, Tensor h, Tensor gy) {
    static AdapterState of(Op.Linear op, Slots primal, Slots adjoint) {
      return new AdapterState(
          op, primal.get(op.xa()), primal.get(op.u()), adjoint.get(op.u()), adjoint.get(op.y()));
    }

    LoraSlot slot() {
      return op.layer().slot();
    }

    LoraKernels.Kept kept() {
      return new LoraKernels.Kept(xa, u, h, gy);
    }

    void show(AdapterVisitor visitor) {
      visitor.visit(slot(), xa, u, h, gy);
    }
  }

  /** What to do with an adapter whose adjoints have just been computed. */
  @FunctionalInterface
  interface AdapterRule {
    void apply(AdapterState state);
  }
}
