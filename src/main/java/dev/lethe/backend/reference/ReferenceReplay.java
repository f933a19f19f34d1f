package dev.lethe.backend.reference;

import static dev.lethe.tensor.DType.BF16;
import static dev.lethe.tensor.DType.F64;

import dev.lethe.backend.ReplayKernels;
import dev.lethe.backend.Require;
import dev.lethe.backend.VectorKernels;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;

/** Each run's step by the vector kernels. */
final class ReferenceReplay implements ReplayKernels {
  private final ReferenceVectors vectors = new ReferenceVectors();

  @Override
  public void adamW(
      VectorKernels.AdamW options,
      Step step,
      AdamWState recorded,
      AdamWState runs,
      Tensor difference) {
    String what = "replay.adamW";
    requireStep(what, step);
    requireState(what, step, "theta", recorded.theta(), runs.theta());
    requireState(what, step, "m", recorded.m(), runs.m());
    requireState(what, step, "v", recorded.v(), runs.v());
    requireChange(what + ": difference", step.g(), difference, runs.theta().dim(0));
    vectors.adamW(
        options, step.learningRate(), step.number(), recorded.theta(), recordedGradient(step),
        recorded.m(), recorded.v());
    for (int j = 0; j < step.clips().length; j++) {
      if (step.numbers()[j] > 0) {
        vectors.adamW(
            options, step.learningRate(), step.numbers()[j], runs.theta().row(j),
            changedGradient(step, j), runs.m().row(j), runs.v().row(j));
      }
      subtract(runs.theta().row(j), recorded.theta(), difference.row(j));
    }
  }

  @Override
  public void sgd(Sgd options, Step step, SgdState recorded, SgdState runs, Tensor difference) {
    String what = "replay.sgd";
    requireStep(what, step);
    requireState(what, step, "theta", recorded.theta(), runs.theta());
    requireState(what, step, "buffer", recorded.buffer(), runs.buffer());
    requireChange(what + ": difference", step.g(), difference, runs.theta().dim(0));
    descend(options, step.learningRate(), recorded, recordedGradient(step));
    for (int j = 0; j < step.clips().length; j++) {
      SgdState run = new SgdState(runs.theta().row(j), runs.buffer().row(j));
      if (step.numbers()[j] > 0) {
        descend(options, step.learningRate(), run, changedGradient(step, j));
      }
      subtract(run.theta(), recorded.theta(), difference.row(j));
    }
  }

  private void descend(Sgd options, double learningRate, SgdState run, Tensor g) {
    if (options.weightDecay() != 0) {
      vectors.axpy(options.weightDecay(), run.theta(), g);
    }
    vectors.axpby(1, g, options.momentum(), run.buffer());
    vectors.axpy(-learningRate, run.buffer(), run.theta());
  }

  @Override
  public void squaredNorms(Tensor g, Tensor change, double[] norms) {
    requireGradient("replay.squaredNorms: g", g);
    requireChange("replay.squaredNorms: change", g, change, norms.length - 1);
    double[] recorded = g.toDoubles();
    norms[0] = Slices.dot(recorded, 0, recorded, 0, recorded.length);
    for (int j = 1; j < norms.length; j++) {
      double[] changed = sum(recorded, change.row(j - 1).toDoubles());
      norms[j] = Slices.dot(changed, 0, changed, 0, changed.length);
    }
  }

  private static Tensor recordedGradient(Step step) {
    return scaled(step.clip(), step.g().toDoubles());
  }

  private static Tensor changedGradient(Step step, int j) {
    return scaled(
        step.clips()[j], sum(step.g().toDoubles(), step.change().row(j).toDoubles()));
  }

  private static Tensor scaled(double factor, double[] g) {
    Matrix scaled = new Matrix(1, g.length, g).scaled(factor);
    return Tensor.of(Shape.of(g.length), scaled.values());
  }

  /** g + change, and g itself where nothing changes, which keeps the sign of a zero. */
  private static double[] sum(double[] g, double[] change) {
    double[] sum = new double[g.length];
    for (int i = 0; i < g.length; i++) {
      sum[i] = change[i] == 0 ? g[i] : g[i] + change[i];
    }
    return sum;
  }

  private static void subtract(Tensor theta, Tensor from, Tensor difference) {
    Matrix.of(theta).plus(Matrix.of(from).scaled(-1)).store(difference);
  }

  private static void requireStep(String operation, Step step) {
    requireGradient(operation + ": g", step.g());
    int k = step.clips().length;
    requireChange(operation + ": change", step.g(), step.change(), k);
    Require.that(step.number() >= 1, operation + ": number", "1 for the first", step.number());
    Require.that(step.numbers().length == k, operation + ": numbers", k, step.numbers().length);
    for (long number : step.numbers()) {
      Require.that(number >= 0, operation + ": numbers", "0 for no step, or a step", number);
    }
  }

  private static void requireGradient(String what, Tensor g) {
    Require.rank(what, g, 1);
    Require.that(g.dtype() == BF16 || g.dtype() == F64, what, "BF16 or F64", g);
  }

  private static void requireChange(String what, Tensor g, Tensor change, long k) {
    Require.tensor(what, change, F64, k, g.dim(0));
  }

  private static void requireState(
      String operation, Step step, String name, Tensor recorded, Tensor runs) {
    Require.tensor(operation + ": recorded " + name, recorded, F64, step.g().dim(0));
    requireChange(operation + ": " + name, step.g(), runs, step.clips().length);
  }
}
