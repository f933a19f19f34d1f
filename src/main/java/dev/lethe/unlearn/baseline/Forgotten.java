package dev.lethe.unlearn.baseline;

import dev.lethe.data.Sample;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.List;

/** The parts that objectives share. */
final class Forgotten {
  private final BaselineWork work;
  private final List<Sample> all;

  Forgotten(BaselineWork work) {
    this.work = work;
    this.all = work.request().forgotten();
  }

  /** The requested rows in these places. */
  List<Sample> at(int[] places) {
    return at(all, places);
  }

  /** The rows of a list in these places. */
  static List<Sample> at(List<Sample> rows, int[] places) {
    return Arrays.stream(places).mapToObj(rows::get).toList();
  }

  /** Adds weight·∇(mean ℓ) of requested rows to g. */
  void addMeanGradient(int[] places, Tensor theta, double weight, Tensor g) {
    addMeanGradient(at(places), theta, weight, g);
  }

  /** Adds weight·∇(mean ℓ) of rows to g; nothing where the weight is 0. */
  void addMeanGradient(List<Sample> rows, Tensor theta, double weight, Tensor g) {
    if (weight != 0) {
      work.addGradient(rows, theta, (i, sample, loss) -> weight / rows.size(), g);
    }
  }

  /** The losses of all requested rows, summed over their tokens: −log p of the whole response. */
  double[] summedLosses(List<Sample> rows, Tensor theta) {
    double[] losses = work.losses(rows, theta);
    for (int i = 0; i < losses.length; i++) {
      losses[i] *= rows.get(i).supervised();
    }
    return losses;
  }

  /** 1/(1 + e^−x). */
  static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }
}
