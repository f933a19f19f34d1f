package dev.lethe.autograd;

import dev.lethe.autograd.Gradients.AdapterRule;
import dev.lethe.autograd.op.BackwardPass;
import dev.lethe.autograd.op.CrossEntropy;
import dev.lethe.autograd.op.ForwardPass;
import dev.lethe.autograd.op.Slots;
import dev.lethe.autograd.op.Value;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.ScaledSumKernels;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.UnaryOperator;

/** Gradients of losses that are not the cross-entropy at the end of a tape. */
public final class OtherLosses {
  private OtherLosses() {}

  /**
   * Adds scale·Σᵢ∇KLᵢ to g, KLᵢ the mean over the supervised rows of sample i of KL(p‖q) with p the predictions under
   * the reference and q those under θ. Its adjoint of the head's input is w (q − p)·head: the difference of the
   * cross-entropy's adjoints at both, whatever the targets are. Costs a forward and a gradient.
   *
   * @param reference parameters (P), constant
   * @param theta parameters (P)
   * @param g (P)
   */
  public static void addDivergenceGradient(
      Backend backend, Tape tape, Tensor reference, Tensor theta, double scale, Tensor g) {
    CrossEntropy end = tape.loss();
    if (!end.x().active()) {
      return;
    }
    try (Scope scope = backend.openScope("divergence")) {
      Slots there = Slots.ofAdjoints(backend, scope, tape.layout(), 1);
      try (Scope once = backend.openScope("reference")) {
        Slots primal = Slots.ofPrimals(backend, once, tape.layout());
        end.forward(forward(backend, tape, reference, primal, Set.of()), false, there);
      }
      Slots primal = Slots.ofPrimals(backend, scope, tape.layout());
      Slots here = Slots.ofAdjoints(backend, scope, tape.layout(), 1);
      end.forward(forward(backend, tape, theta, primal, tape.savedPrimals()), false, here);
      Slots difference = Slots.ofAdjoints(backend, scope, tape.layout(), 1);
      Tensor gx = difference.allocate(end.x()).row(0);
      backend.run(new ScaledSumKernels.Apply(-1, there.single(end.x()), here.single(end.x()), gx));
      reverse(backend, tape, theta, primal, difference, scale, g);
    }
  }

  /**
   * Adds scale·∇f to g for a function f of one value of a tape, its last.
   *
   * @param theta parameters (P)
   * @param of what f is of
   * @param gradient from a copy of the value, host F64 (rows,width), to ∂f/∂value of the same shape
   * @param g (P)
   */
  public static void addGradient(
      Backend backend,
      Tape tape,
      Tensor theta,
      Value of,
      UnaryOperator<Tensor> gradient,
      double scale,
      Tensor g) {
    if (!of.active()) {
      return;
    }
    try (Scope scope = backend.openScope("value gradient")) {
      Slots primal = Slots.ofPrimals(backend, scope, tape.layout());
      Set<Integer> keep = new TreeSet<>(tape.savedPrimals());
      keep.add(of.id());
      forward(backend, tape, theta, primal, keep);
      Tensor value = primal.get(of);
      Tensor host = Tensor.of(value.shape(), Gradients.download(backend, value));
      Slots adjoint = Slots.ofAdjoints(backend, scope, tape.layout(), 1);
      backend.upload(gradient.apply(host), adjoint.allocate(of).row(0));
      reverse(backend, tape, theta, primal, adjoint, scale, g);
    }
  }

  private static ForwardPass forward(
      Backend backend, Tape tape, Tensor theta, Slots primal, Set<Integer> keep) {
    ForwardPass pass = new ForwardPass(backend, theta, primal);
    Passes.forward(tape, false, primal, keep, op -> op.forward(pass));
    return pass;
  }

  private static void reverse(
      Backend backend, Tape tape, Tensor theta, Slots primal, Slots adjoint, double scale, Tensor g) {
    AdapterRule sum = new Gradients.Sum(backend, scale, g.reshape(1, g.elements()));
    Gradients.reverse(tape, new BackwardPass(backend, theta, primal, adjoint), Set.of(), List.of(primal), sum);
  }
}
