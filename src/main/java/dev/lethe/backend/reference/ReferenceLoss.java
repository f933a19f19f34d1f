package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.KernelCall;
import dev.lethe.backend.kernel.LossKernels;
import dev.lethe.backend.kernel.Require;
import dev.lethe.tensor.Tensor;

/** Vocabulary head and cross-entropy. */
final class ReferenceLoss implements LossKernels {
  private static final long BLOCK = 64;

  @Override
  public void logits(Logits call) {
    ReferenceLinear w = ReferenceLinear.of(call.head());
    w.apply(DoubleMatrix.of(call.x())).store(call.z());
  }

  @Override
  public void forward(Forward call) {
    ReferenceLinear w = ReferenceLinear.of(call.head());
    long m = call.x().dim(0);
    requireTargets(call, call.targets(), w.out());
    DoubleMatrix wT = w.matrix().transposed();
    DoubleMatrix back = call.gx() == null ? null : w.matrix();
    for (long first = 0; first < m; first += BLOCK) {
      long count = Math.min(BLOCK, m - first);
      Tensor blockTargets = call.targets().slice(first, count);
      DoubleMatrix z = w.plusBias(DoubleMatrix.of(call.x().slice(first, count)).times(wT)); // (BLOCK,V)
      losses(z, blockTargets).store(call.rowLoss().slice(first, count));
      if (call.p() != null) {
        z.store(call.p().slice(first, count));
      }
      if (call.gx() != null) {
        subtractOneHot(z, blockTargets);
        DoubleMatrix gz = scaledRows(z, DoubleMatrix.of(call.weights().slice(first, count)));
        gz.times(back).store(call.gx().slice(first, count));
      }
    }
  }

  @Override
  public void tangent(Tangent call) {
    ReferenceLinear w = ReferenceLinear.of(call.head());
    long k = call.dx().dim(0);
    long m = call.dx().dim(1);
    requireTargets(call, call.targets(), w.out());
    DoubleMatrix probabilities = DoubleMatrix.of(call.p());
    DoubleMatrix wT = w.matrix().transposed();
    DoubleMatrix out = DoubleMatrix.zeros(k, m);
    for (int j = 0; j < k; j++) {
      DoubleMatrix dz = DoubleMatrix.of(call.dx().row(j)).times(wT);
      for (int row = 0; row < m; row++) {
        double target = dz.at(row, (int) call.targets().get(row));
        out.values()[j * out.cols() + row] = rowDot(probabilities, dz, row) - target;
      }
    }
    out.store(call.dLoss());
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    ReferenceLinear w = ReferenceLinear.of(call.head());
    long k = call.dx().dim(0);
    long m = call.dx().dim(1);
    DoubleMatrix probabilities = DoubleMatrix.of(call.p());
    DoubleMatrix rowWeights = DoubleMatrix.of(call.weights());
    DoubleMatrix wT = w.matrix().transposed();
    DoubleMatrix back = w.matrix();
    for (int j = 0; j < k; j++) {
      DoubleMatrix dz = DoubleMatrix.of(call.dx().row(j)).times(wT);
      for (int row = 0; row < m; row++) {
        double mean = rowDot(probabilities, dz, row);
        for (int i = row * dz.cols(); i < (row + 1) * dz.cols(); i++) {
          dz.values()[i] = probabilities.values()[i] * (dz.values()[i] - mean);
        }
      }
      scaledRows(dz, rowWeights).times(back).store(call.dgx().row(j));
    }
  }

  @Override
  public void drawn(Drawn call) {
    ReferenceLinear w = ReferenceLinear.of(call.head());
    long q = call.out().dim(0);
    long m = call.out().dim(1);
    requireTargets(call, call.targets(), w.out());
    DoubleMatrix back = w.matrix();
    DoubleMatrix roots = DoubleMatrix.of(call.weights());
    for (int row = 0; row < m; row++) {
      roots.values()[row] = Math.sqrt(roots.values()[row]);
    }
    for (int j = 0; j < q; j++) {
      DoubleMatrix gz = DoubleMatrix.of(call.p());
      for (int row = 0; row < m; row++) {
        call.labels().row(j).set(row, label(gz, row, LossKernels.uniform(call.seed(), j, row)));
      }
      subtractOneHot(gz, call.labels().row(j));
      scaledRows(gz, roots).times(back).store(call.out().row(j));
    }
  }

  /** The first class whose running sum exceeds a part of the sum of all; at most the last possible one. */
  private static int label(DoubleMatrix p, int row, double part) {
    double all = 0;
    for (int i = 0; i < p.cols(); i++) {
      all += p.at(row, i);
    }
    double sum = 0;
    int possible = 0;
    for (int i = 0; i < p.cols() && !(sum > part * all); i++) {
      sum += p.at(row, i);
      possible = p.at(row, i) > 0 ? i : possible;
    }
    return possible;
  }

  /** Turns logits into probabilities and returns logsumexp(z) − z[target] of each row. */
  private static DoubleMatrix losses(DoubleMatrix z, Tensor targets) {
    DoubleMatrix losses = DoubleMatrix.zeros(1, z.rows());
    for (int row = 0; row < z.rows(); row++) {
      double targetLogit = z.at(row, (int) targets.get(row));
      losses.values()[row] = softmax(z, row) - targetLogit;
    }
    return losses;
  }

  private static void subtractOneHot(DoubleMatrix p, Tensor targets) {
    for (int row = 0; row < p.rows(); row++) {
      p.values()[row * p.cols() + (int) targets.get(row)] -= 1;
    }
  }

  /**
   * Turns a row of logits into probabilities and returns the log of the sum of its exponentials.
   */
  private static double softmax(DoubleMatrix z, int row) {
    double max = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < z.cols(); i++) {
      max = Math.max(max, z.at(row, i));
    }
    double sum = 0;
    for (int i = 0; i < z.cols(); i++) {
      sum += Math.exp(z.at(row, i) - max);
    }
    double logSum = max + Math.log(sum);
    for (int i = row * z.cols(); i < (row + 1) * z.cols(); i++) {
      z.values()[i] = Math.exp(z.values()[i] - logSum);
    }
    return logSum;
  }

  private static double rowDot(DoubleMatrix a, DoubleMatrix b, int row) {
    return Slices.dot(a.values(), row * a.cols(), b.values(), row * b.cols(), a.cols());
  }

  private static DoubleMatrix scaledRows(DoubleMatrix x, DoubleMatrix weights) {
    DoubleMatrix product = DoubleMatrix.zeros(x.rows(), x.cols());
    for (int row = 0; row < x.rows(); row++) {
      int at = row * x.cols();
      Slices.addScaled(weights.at(0, row), x.values(), at, product.values(), at, x.cols());
    }
    return product;
  }

  private static void requireTargets(KernelCall call, Tensor targets, long vocabulary) {
    for (long row = 0; row < targets.elements(); row++) {
      Require.index(call, "targets", row, (long) targets.get(row), vocabulary);
    }
  }
}
