package dev.lethe.backend.reference;

import static dev.lethe.tensor.DType.F64;

import dev.lethe.backend.FrozenLinear;
import dev.lethe.backend.LossKernels;
import dev.lethe.backend.Require;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/** Vocabulary head and cross-entropy. */
final class ReferenceLoss implements LossKernels {
  private static final long BLOCK = 64;

  @Override
  public void logits(FrozenLinear head, Tensor x, Tensor z) {
    ReferenceLinear w = ReferenceLinear.of(head);
    Require.rank("loss.logits: x", x, 2);
    Require.tensor("loss.logits: x", x, F64, x.dim(0), w.in());
    Require.tensor("loss.logits: z", z, F64, x.dim(0), w.out());
    w.apply(Matrix.of(x)).store(z);
  }

  @Override
  public void forward(
      FrozenLinear head,
      Tensor x,
      Tensor targets,
      Tensor weights,
      Tensor rowLoss,
      Tensor p,
      Tensor gx) {
    ReferenceLinear w = ReferenceLinear.of(head);
    Require.rank("loss.forward: x", x, 2);
    long m = x.dim(0);
    Require.tensor("loss.forward: x", x, F64, m, w.in());
    requireTargets("loss.forward: targets", targets, m, w.out());
    Require.tensor("loss.forward: rowLoss", rowLoss, F64, m);
    Require.tensorOrNull("loss.forward: p", p, F64, m, w.out());
    Require.tensorOrNull("loss.forward: gx", gx, F64, m, w.in());
    if (gx != null) {
      Require.tensor("loss.forward: weights", weights, F64, m);
    }
    Matrix wT = w.matrix().transposed();
    Matrix back = gx == null ? null : w.backwardMatrix("loss.forward");
    for (long first = 0; first < m; first += BLOCK) {
      long count = Math.min(BLOCK, m - first);
      Tensor blockTargets = targets.slice(first, count);
      Matrix z = w.plusBias(Matrix.of(x.slice(first, count)).times(wT)); // (BLOCK,V)
      losses(z, blockTargets).store(rowLoss.slice(first, count));
      if (p != null) {
        z.store(p.slice(first, count));
      }
      if (gx != null) {
        subtractOneHot(z, blockTargets);
        Matrix gz = scaledRows(z, Matrix.of(weights.slice(first, count)));
        gz.times(back).store(gx.slice(first, count));
      }
    }
  }

  @Override
  public void tangent(FrozenLinear head, Tensor p, Tensor targets, Tensor dx, Tensor dLoss) {
    ReferenceLinear w = ReferenceLinear.of(head);
    Require.rank("loss.tangent: dx", dx, 3);
    long k = dx.dim(0);
    long m = dx.dim(1);
    Require.tensor("loss.tangent: dx", dx, F64, k, m, w.in());
    Require.tensor("loss.tangent: p", p, F64, m, w.out());
    requireTargets("loss.tangent: targets", targets, m, w.out());
    Require.tensor("loss.tangent: dLoss", dLoss, F64, k, m);
    Matrix probabilities = Matrix.of(p);
    Matrix wT = w.matrix().transposed();
    Matrix out = Matrix.zeros(k, m);
    for (int j = 0; j < k; j++) {
      Matrix dz = Matrix.of(dx.row(j)).times(wT);
      for (int row = 0; row < m; row++) {
        double target = dz.at(row, (int) targets.get(row));
        out.values()[j * out.cols() + row] = rowDot(probabilities, dz, row) - target;
      }
    }
    out.store(dLoss);
  }

  @Override
  public void backwardTangent(FrozenLinear head, Tensor p, Tensor weights, Tensor dx, Tensor dgx) {
    ReferenceLinear w = ReferenceLinear.of(head);
    Require.rank("loss.backwardTangent: dx", dx, 3);
    long k = dx.dim(0);
    long m = dx.dim(1);
    Require.tensor("loss.backwardTangent: dx", dx, F64, k, m, w.in());
    Require.tensor("loss.backwardTangent: p", p, F64, m, w.out());
    Require.tensor("loss.backwardTangent: weights", weights, F64, m);
    Require.tensor("loss.backwardTangent: dgx", dgx, F64, k, m, w.in());
    Matrix probabilities = Matrix.of(p);
    Matrix rowWeights = Matrix.of(weights);
    Matrix wT = w.matrix().transposed();
    Matrix back = w.backwardMatrix("loss.backwardTangent");
    for (int j = 0; j < k; j++) {
      Matrix dz = Matrix.of(dx.row(j)).times(wT);
      for (int row = 0; row < m; row++) {
        double mean = rowDot(probabilities, dz, row);
        for (int i = row * dz.cols(); i < (row + 1) * dz.cols(); i++) {
          dz.values()[i] = probabilities.values()[i] * (dz.values()[i] - mean);
        }
      }
      scaledRows(dz, rowWeights).times(back).store(dgx.row(j));
    }
  }

  @Override
  public void drawn(
      FrozenLinear head,
      Tensor p,
      Tensor targets,
      Tensor weights,
      Tensor gx,
      long seed,
      Tensor labels,
      Tensor out) {
    ReferenceLinear w = ReferenceLinear.of(head);
    Require.rank("loss.drawn: out", out, 3);
    long q = out.dim(0);
    long m = out.dim(1);
    Require.tensor("loss.drawn: out", out, F64, q, m, w.in());
    Require.tensor("loss.drawn: p", p, F64, m, w.out());
    requireTargets("loss.drawn: targets", targets, m, w.out());
    Require.tensor("loss.drawn: weights", weights, F64, m);
    Require.tensor("loss.drawn: gx", gx, F64, m, w.in());
    Require.tensor("loss.drawn: labels", labels, DType.I32, q, m);
    Matrix back = w.backwardMatrix("loss.drawn");
    Matrix roots = Matrix.of(weights);
    for (int row = 0; row < m; row++) {
      roots.values()[row] = Math.sqrt(roots.values()[row]);
    }
    for (int j = 0; j < q; j++) {
      Matrix gz = Matrix.of(p);
      for (int row = 0; row < m; row++) {
        labels.row(j).set(row, label(gz, row, LossKernels.uniform(seed, j, row)));
      }
      subtractOneHot(gz, labels.row(j));
      scaledRows(gz, roots).times(back).store(out.row(j));
    }
  }

  /** The first class whose running sum exceeds a part of the sum of all; at most the last possible one. */
  private static int label(Matrix p, int row, double part) {
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
  private static Matrix losses(Matrix z, Tensor targets) {
    Matrix losses = Matrix.zeros(1, z.rows());
    for (int row = 0; row < z.rows(); row++) {
      double targetLogit = z.at(row, (int) targets.get(row));
      losses.values()[row] = softmax(z, row) - targetLogit;
    }
    return losses;
  }

  private static void subtractOneHot(Matrix p, Tensor targets) {
    for (int row = 0; row < p.rows(); row++) {
      p.values()[row * p.cols() + (int) targets.get(row)] -= 1;
    }
  }

  /**
   * Turns a row of logits into probabilities and returns the log of the sum of its exponentials.
   */
  private static double softmax(Matrix z, int row) {
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

  private static double rowDot(Matrix a, Matrix b, int row) {
    return Slices.dot(a.values(), row * a.cols(), b.values(), row * b.cols(), a.cols());
  }

  private static Matrix scaledRows(Matrix x, Matrix weights) {
    Matrix product = Matrix.zeros(x.rows(), x.cols());
    for (int row = 0; row < x.rows(); row++) {
      int at = row * x.cols();
      Slices.addScaled(weights.at(0, row), x.values(), at, product.values(), at, x.cols());
    }
    return product;
  }

  private static void requireTargets(String what, Tensor targets, long m, long vocabulary) {
    Require.tensor(what, targets, DType.I32, m);
    for (long row = 0; row < m; row++) {
      Require.index(what, row, (long) targets.get(row), vocabulary);
    }
  }
}
