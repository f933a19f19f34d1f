package dev.lethe.backend.reference;

import static dev.lethe.tensor.DType.F64;

import dev.lethe.backend.Require;
import dev.lethe.backend.VectorKernels;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;

/** Vector arithmetic, element by element; sums run in index order. */
final class ReferenceVectors implements VectorKernels {
  @Override
  public void fill(Tensor x, double value) {
    Require.tensor("vectors.fill: x", x, F64, x.shape().toArray());
    Matrix out = Matrix.of(x);
    Arrays.fill(out.values(), value);
    out.store(x);
  }

  @Override
  public void copy(Tensor x, Tensor y) {
    requireAlike("vectors.copy", x, y);
    y.copyFrom(x);
  }

  @Override
  public void scale(double a, Tensor x) {
    Require.tensor("vectors.scale: x", x, F64, x.shape().toArray());
    Matrix.of(x).scaled(a).store(x);
  }

  @Override
  public void axpby(double a, Tensor x, double b, Tensor y) {
    requireAlike("vectors.axpby", x, y);
    Matrix.of(x).scaled(a).plus(Matrix.of(y).scaled(b)).store(y);
  }

  @Override
  public double dot(Tensor x, Tensor y) {
    requireAlike("vectors.dot", x, y);
    return Matrix.of(x).dot(Matrix.of(y));
  }

  @Override
  public boolean allFinite(Tensor x) {
    Require.tensor("vectors.allFinite: x", x, F64, x.shape().toArray());
    for (double value : Matrix.of(x).values()) {
      if (!Double.isFinite(value)) {
        return false;
      }
    }
    return true;
  }

  @Override
  public void adamW(
      AdamW options, double learningRate, long step, Tensor theta, Tensor g, Tensor m, Tensor v) {
    Require.that(step >= 1, "vectors.adamW: step", "1 for the first", step);
    requireAlike("vectors.adamW", theta, g);
    requireAlike("vectors.adamW", theta, m);
    requireAlike("vectors.adamW", theta, v);
    Matrix parameters = Matrix.of(theta);
    Matrix first = Matrix.of(m);
    Matrix second = Matrix.of(v);
    double[] t = parameters.values();
    double[] gradient = Matrix.of(g).values();
    double[] mean = first.values();
    double[] square = second.values();
    double stepSize = learningRate / (1 - Math.pow(options.beta1(), step));
    double rootCorrection = Math.sqrt(1 - Math.pow(options.beta2(), step));
    for (int i = 0; i < t.length; i++) {
      t[i] *= 1 - learningRate * options.weightDecay();
      mean[i] += (1 - options.beta1()) * (gradient[i] - mean[i]);
      square[i] = options.beta2() * square[i] + (1 - options.beta2()) * gradient[i] * gradient[i];
      t[i] -= stepSize * mean[i] / (Math.sqrt(square[i]) / rootCorrection + options.epsilon());
    }
    parameters.store(theta);
    first.store(m);
    second.store(v);
  }

  private static void requireAlike(String operation, Tensor x, Tensor y) {
    Require.tensor(operation + ": first vector", x, F64, x.shape().toArray());
    Require.tensor(operation + ": other vector", y, F64, x.shape().toArray());
  }
}
