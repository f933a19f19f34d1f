package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.VectorKernels;
import java.util.Arrays;

/** Vector arithmetic, element by element; sums run in index order. */
final class ReferenceVectors implements VectorKernels {
  @Override
  public void fill(Fill call) {
    DoubleMatrix out = DoubleMatrix.of(call.x());
    Arrays.fill(out.values(), call.value());
    out.store(call.x());
  }

  @Override
  public void copy(Copy call) {
    call.y().copyFrom(call.x());
  }

  @Override
  public void scale(Scale call) {
    DoubleMatrix.of(call.x()).scaled(call.a()).store(call.x());
  }

  @Override
  public void axpby(Axpby call) {
    DoubleMatrix.of(call.x()).scaled(call.a()).plus(DoubleMatrix.of(call.y()).scaled(call.b())).store(call.y());
  }

  @Override
  public void dot(Dot call) {
    call.result()[0] = DoubleMatrix.of(call.x()).dot(DoubleMatrix.of(call.y()));
  }

  @Override
  public void allFinite(AllFinite call) {
    call.result()[0] = Arrays.stream(DoubleMatrix.of(call.x()).values()).allMatch(Double::isFinite);
  }

  @Override
  public void adamW(StepAdamW call) {
    DoubleMatrix parameters = DoubleMatrix.of(call.theta());
    DoubleMatrix first = DoubleMatrix.of(call.m());
    DoubleMatrix second = DoubleMatrix.of(call.v());
    double[] t = parameters.values();
    double[] gradient = DoubleMatrix.of(call.g()).values();
    double[] mean = first.values();
    double[] square = second.values();
    double stepSize = call.learningRate() / (1 - Math.pow(call.options().beta1(), call.step()));
    double rootCorrection = Math.sqrt(1 - Math.pow(call.options().beta2(), call.step()));
    for (int i = 0; i < t.length; i++) {
      t[i] *= 1 - call.learningRate() * call.options().weightDecay();
      mean[i] += (1 - call.options().beta1()) * (gradient[i] - mean[i]);
      square[i] =
          call.options().beta2() * square[i]
              + (1 - call.options().beta2()) * gradient[i] * gradient[i];
      t[i] -=
          stepSize * mean[i] / (Math.sqrt(square[i]) / rootCorrection + call.options().epsilon());
    }
    parameters.store(call.theta());
    first.store(call.m());
    second.store(call.v());
  }
}
