package dev.lethe.autograd;

import dev.lethe.jmh.ModelBenchmark;
import dev.lethe.tensor.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/**
 * Claim: a gradient costs about two forwards, and one gradient for each sample costs hardly more than their sum.
 */
public class GradientBenchmark extends ModelBenchmark {
  private Tape tape;
  private Tensor perSample;

  @Override
  protected void prepare() {
    tape = model.tape();
    perSample =
        model
            .scope()
            .allocate(
                model.backend().vectorType(), model.samples().size(), model.theta().elements());
  }

  @Benchmark
  public double[] forward() {
    return Gradients.losses(model.backend(), tape, model.theta());
  }

  @Benchmark
  public double[] gradient() {
    return Gradients.addGradient(model.backend(), tape, model.theta(), 1e-3, model.g().row(0));
  }

  @Benchmark
  public double[] perSample() {
    return Gradients.perSample(model.backend(), tape, model.theta(), perSample);
  }
}
