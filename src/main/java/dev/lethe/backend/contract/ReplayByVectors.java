package dev.lethe.backend.contract;

import dev.lethe.backend.Vectors;
import dev.lethe.backend.contract.harness.Expect;
import dev.lethe.backend.contract.harness.KernelCase.Side;
import dev.lethe.backend.kernel.ReplayKernels.AdamWState;
import dev.lethe.backend.kernel.ReplayKernels.Sgd;
import dev.lethe.backend.kernel.ReplayKernels.SgdState;
import dev.lethe.backend.kernel.ReplayKernels.Step;
import dev.lethe.backend.kernel.VectorKernels.AdamW;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/** The same steps on copies, run after run by the vector kernels, as training takes them. */
final class ReplayByVectors implements AutoCloseable {
  private final Side on;
  private final Scope scope;
  private final Tensor[] recorded;
  private final Tensor[] runs;

  private ReplayByVectors(Side on, Tensor[] recorded, Tensor[] runs) {
    this.on = on;
    scope = on.backend().openScope("by vectors");
    this.recorded = copies(recorded);
    this.runs = copies(runs);
  }

  static ReplayByVectors copyOf(Side on, AdamWState recorded, AdamWState runs) {
    return new ReplayByVectors(on, tensors(recorded), tensors(runs));
  }

  static ReplayByVectors copyOf(Side on, SgdState recorded, SgdState runs) {
    return new ReplayByVectors(on, tensors(recorded), tensors(runs));
  }

  private static Tensor[] tensors(AdamWState state) {
    return new Tensor[] {state.theta(), state.m(), state.v()};
  }

  private static Tensor[] tensors(SgdState state) {
    return new Tensor[] {state.theta(), state.buffer()};
  }

  private Tensor[] copies(Tensor[] tensors) {
    Tensor[] copies = new Tensor[tensors.length];
    for (int i = 0; i < tensors.length; i++) {
      copies[i] = scope.allocate(tensors[i].dtype(), tensors[i].shape());
      on.backend().vectors().copy(tensors[i], copies[i]);
    }
    return copies;
  }

  void adamW(AdamW options, Step step) {
    Vectors vectors = on.backend().vectors();
    vectors.adamW(
        options, step.learningRate(), step.number(), recorded[0], gradient(step, -1), recorded[1],
        recorded[2]);
    for (int j = 0; j < step.clips().length; j++) {
      if (step.numbers()[j] > 0) {
        vectors.adamW(
            options, step.learningRate(), step.numbers()[j], runs[0].row(j), gradient(step, j),
            runs[1].row(j), runs[2].row(j));
      }
    }
  }

  void sgd(Sgd options, Step step) {
    descend(options, step.learningRate(), recorded[0], recorded[1], gradient(step, -1));
    for (int j = 0; j < step.clips().length; j++) {
      if (step.numbers()[j] > 0) {
        descend(
            options, step.learningRate(), runs[0].row(j), runs[1].row(j), gradient(step, j));
      }
    }
  }

  private void descend(Sgd options, double learningRate, Tensor theta, Tensor buffer, Tensor g) {
    Vectors vectors = on.backend().vectors();
    if (options.weightDecay() != 0) {
      vectors.axpy(options.weightDecay(), theta, g);
    }
    vectors.axpby(1, g, options.momentum(), buffer);
    vectors.axpy(-learningRate, buffer, theta);
  }

  /** A run's gradient, the recorded one's for −1. */
  private Tensor gradient(Step step, int run) {
    Tensor g = scope.allocate(on.backend().vectorType(), step.g().shape());
    Tensor host = Tensor.of(step.g().shape(), on.numbers(step.g()));
    on.backend().upload(host, g);
    if (run >= 0) {
      on.backend().vectors().axpy(1, step.change().row(run), g);
    }
    on.backend().vectors().scale(run < 0 ? step.clip() : step.clips()[run], g);
    return g;
  }

  void assertSame(AdamWState state, AdamWState others, Tensor difference) {
    assertSame(tensors(state), tensors(others), difference);
  }

  void assertSame(SgdState state, SgdState others, Tensor difference) {
    assertSame(tensors(state), tensors(others), difference);
  }

  private void assertSame(Tensor[] state, Tensor[] others, Tensor difference) {
    for (int i = 0; i < state.length; i++) {
      Expect.same(on.numbers(recorded[i]), on.numbers(state[i]), "recorded run, " + i);
      Expect.same(on.numbers(runs[i]), on.numbers(others[i]), "runs, vector " + i);
    }
    for (int j = 0; j < runs[0].dim(0); j++) {
      on.backend().vectors().axpy(-1, recorded[0], runs[0].row(j));
    }
    Expect.same(on.numbers(runs[0]), on.numbers(difference), "difference");
  }

  @Override
  public void close() {
    scope.close();
  }
}
