package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.ReplayKernels;
import dev.lethe.backend.kernel.VectorKernels;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;

/** Each run's step by the vector kernels. */
final class ReferenceReplay implements ReplayKernels {
  private final ReferenceVectors vectors = new ReferenceVectors();

  @Override
  public void adamW(StepAdamW call) {
    AdamWState recorded = call.recorded();
    AdamWState runs = call.runs();
    Step step = call.step();
    vectors.adamW(
        new VectorKernels.StepAdamW(
            call.options(),
            step.learningRate(),
            step.number(),
            recorded.theta(),
            recordedGradient(step),
            recorded.m(),
            recorded.v()));
    for (int j = 0; j < step.clips().length; j++) {
      if (step.numbers()[j] > 0) {
        vectors.adamW(
            new VectorKernels.StepAdamW(
                call.options(),
                step.learningRate(),
                step.numbers()[j],
                runs.theta().row(j),
                changedGradient(step, j),
                runs.m().row(j),
                runs.v().row(j)));
      }
      subtract(runs.theta().row(j), recorded.theta(), call.difference().row(j));
    }
  }

  @Override
  public void sgd(StepSgd call) {
    SgdState recorded = call.recorded();
    SgdState runs = call.runs();
    Step step = call.step();
    descend(call.options(), step.learningRate(), recorded, recordedGradient(step));
    for (int j = 0; j < step.clips().length; j++) {
      SgdState run = new SgdState(runs.theta().row(j), runs.buffer().row(j));
      if (step.numbers()[j] > 0) {
        descend(call.options(), step.learningRate(), run, changedGradient(step, j));
      }
      subtract(run.theta(), recorded.theta(), call.difference().row(j));
    }
  }

  private void descend(Sgd options, double learningRate, SgdState run, Tensor g) {
    if (options.weightDecay() != 0) {
      vectors.axpby(new VectorKernels.Axpby(options.weightDecay(), run.theta(), 1, g));
    }
    vectors.axpby(new VectorKernels.Axpby(1, g, options.momentum(), run.buffer()));
    vectors.axpby(new VectorKernels.Axpby(-learningRate, run.buffer(), 1, run.theta()));
  }

  @Override
  public void squaredNorms(SquaredNorms call) {
    double[] norms = call.norms();
    double[] recorded = call.g().toDoubles();
    norms[0] = Slices.dot(recorded, 0, recorded, 0, recorded.length);
    for (int j = 1; j < norms.length; j++) {
      double[] changed = sum(recorded, call.change().row(j - 1).toDoubles());
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
    DoubleMatrix scaled = new DoubleMatrix(1, g.length, g).scaled(factor);
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
    DoubleMatrix.of(theta).plus(DoubleMatrix.of(from).scaled(-1)).store(difference);
  }
}
