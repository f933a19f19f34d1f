package dev.lethe.autograd;

import dev.lethe.autograd.op.Adapter;
import dev.lethe.autograd.op.BackwardPass;
import dev.lethe.autograd.op.CrossEntropy;
import dev.lethe.autograd.op.ForwardPass;
import dev.lethe.autograd.op.Op;
import dev.lethe.autograd.op.Slots;
import dev.lethe.autograd.op.Value;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.LoraGradientKernels;
import dev.lethe.backend.kernel.LoraGroup;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.List;
import java.util.Set;

/**
 * Losses and first derivatives of a tape, run once and forgotten: memory is freed as the passes go. ℓᵢ is
 * the mean cross-entropy over the supervised rows of sample i.
 */
public final class Gradients {
  private Gradients() {}

  /** ℓᵢ of every sample, one forward. */
  public static double[] losses(Backend backend, Tape tape, Tensor theta) {
    try (Scope scope = backend.openScope("losses")) {
      CrossEntropy end = tape.loss();
      Slots primal = Slots.ofPrimals(backend, scope, tape.layout());
      ForwardPass pass = new ForwardPass(backend, theta, primal);
      Passes.forward(tape, false, primal, Set.of(), op -> op.forward(pass));
      end.forward(pass);
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
      CrossEntropy end = tape.loss();
      Slots primal = Slots.ofPrimals(backend, scope, tape.layout());
      ForwardPass pass = new ForwardPass(backend, theta, primal);
      Passes.forward(tape, false, primal, Set.of(), op -> op.forward(pass));
      end.forward(pass, true, null);
      Tensor p = primal.get(end.p());
      return Tensor.of(p.shape(), download(backend, p));
    }
  }

  /** Copies a value of a tape (rows,width) into host memory: one forward. */
  public static void value(
      Backend backend, Tape tape, Tensor theta, Value wanted, Tensor host) {
    try (Scope scope = backend.openScope("value")) {
      Slots primal = Slots.ofPrimals(backend, scope, tape.layout());
      ForwardPass pass = new ForwardPass(backend, theta, primal);
      Passes.forward(tape, false, primal, Set.of(wanted.id()), op -> op.forward(pass));
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
    return run(backend, tape, theta, new Sum(backend, scale, g.reshape(1, g.elements())));
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
        (slot, kept) ->
            backend.run(
                new LoraGradientKernels.PerSampleGradient(
                    slot, tape.packing(), kept.row(0), 1, g)));
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
        (slot, kept) ->
            backend.run(
                new LoraGradientKernels.WeightedGradient(
                    slot, tape.packing(), weights, kept.row(0), scale, g)));
  }

  private static double[] run(Backend backend, Tape tape, Tensor theta, AdapterRule rule) {
    CrossEntropy end = tape.loss();
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
      CrossEntropy end = tape.loss();
      Slots primal = Slots.ofPrimals(backend, scope, tape.layout());
      Slots adjoint = Slots.ofAdjoints(backend, scope, tape.layout(), 1);
      ForwardPass forward = new ForwardPass(backend, theta, primal);
      Passes.forward(tape, false, primal, tape.savedPrimals(), op -> op.forward(forward));
      end.forward(forward, false, adjoint);
      primal.drop(end.x());
      Tensor losses = primal.get(end.loss());
      backend.vectors().copy(losses.reshape(losses.elements()), rowLosses);
      reverse(tape, new BackwardPass(backend, theta, primal, adjoint), Set.of(), List.of(primal), rule);
    }
  }

  /**
   * Runs backward from the adjoints of the loss's input, which the pass holds.
   *
   * @param keep numbers of the values whose adjoints stay
   * @param consumed what else is given up on the way
   * @param rule what to do with each adapter's adjoints
   */
  static void reverse(
      Tape tape, BackwardPass pass, Set<Integer> keep, List<Slots> consumed, AdapterRule rule) {
    Passes.reverse(tape, pass.adjoint(), keep, consumed, op -> rule.backward(op, pass));
  }

  /** Weighted sums of row losses over each sample's rows. */
  static double[] sampleLosses(Backend backend, CrossEntropy end, Tensor rowLoss) {
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

  /** What to do with an adapter whose adjoints have just been computed. */
  @FunctionalInterface
  interface AdapterRule {
    /**
     * @param kept with h (k,N,r) and gy (k,N,out)
     */
    void apply(LoraSlot slot, LoraGradientKernels.Kept kept);

    /** Runs an operation backward, and applies it to its adapters. */
    default void backward(Op op, BackwardPass pass) {
      op.backward(pass);
      apply(op.adapters(), pass.primal(), pass.adjoint());
    }

    /** Applies it to the adapters of an operation, the last first. */
    default void apply(List<Adapter> adapters, Slots primal, Slots adjoint) {
      for (Adapter of : adapters.reversed()) {
        apply(of.slot(), kept(of, primal, adjoint));
      }
    }

    /** What the gradients of an adapter are made of. */
    static LoraGradientKernels.Kept kept(Adapter of, Slots primal, Slots adjoint) {
      return new LoraGradientKernels.Kept(
          primal.get(of.xa()), primal.get(of.u()), adjoint.get(of.u()), adjoint.get(of.y()));
    }
  }

  /** Adds scale·(Ā, B̄) to g (k,P): the adapters of an operation together. */
  record Sum(Backend backend, double scale, Tensor g) implements AdapterRule {
    @Override
    public void backward(Op op, BackwardPass pass) {
      op.backward(pass.adding(new BackwardPass.Sum(scale, g)));
    }

    @Override
    public void apply(LoraSlot slot, LoraGradientKernels.Kept kept) {
      backend.run(new LoraGradientKernels.Gradient(slot, kept, scale, g));
    }

    @Override
    public void apply(List<Adapter> adapters, Slots primal, Slots adjoint) {
      if (adapters.size() <= 1) {
        AdapterRule.super.apply(adapters, primal, adjoint);
        return;
      }
      backend.run(
          LoraGroup.gradient(
              adapters.stream()
                  .map(of -> new LoraGradientKernels.Gradient(
                      of.slot(), AdapterRule.kept(of, primal, adjoint), scale, g))
                  .toList()));
    }
  }
}
