package dev.lethe.replay;

import dev.lethe.data.Sample;
import dev.lethe.train.Divisor;
import dev.lethe.trajectory.LoggedStep;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What several requests change in one step: with old rows o, new rows n and weights w the recorded gradient becomes
 * factor·(g − Σ w_o ∇ℓ(o) + Σ w_n ∇ℓ(n) + share·C d).
 *
 * @param rows the old and new rows of all requests, each once
 * @param weights of these rows' gradients in each request's change, factor included: requests × rows
 * @param shares of each request: the weights of the rows that stay or are replaced, summed
 * @param factors of each request: 1 where slots are kept; NaN where its batch is empty and no step is taken
 */
record StepChange(List<Sample> rows, double[][] weights, double[] shares, double[] factors) {
  /** The change that the requests make to a step. */
  static StepChange of(LoggedStep step, List<ReplayRequest> requests) {
    Collected rows = new Collected(requests.size());
    double[] shares = new double[requests.size()];
    double[] factors = new double[requests.size()];
    for (int j = 0; j < shares.length; j++) {
      double all = 0;
      boolean left = false;
      for (int i = 0; i < step.rows().length; i++) {
        double weight = step.weights()[i];
        RowChange change = requests.get(j).changes().get(step.rows()[i]);
        all += weight;
        double stays = change == null || !change.removes() ? 1 : 1 - change.part();
        shares[j] += weight * stays;
        left |= weight * stays > 0;
      }
      factors[j] = factor(requests.get(j).divisor(), all, shares[j], left);
      rows.collect(step, requests.get(j), j, factors[j]);
    }
    return new StepChange(rows.samples, rows.weights(), shares, factors);
  }

  private static double factor(Divisor divisor, double all, double share, boolean left) {
    if (divisor == Divisor.KEEP || share == all) {
      return 1;
    }
    return left ? all / share : Double.NaN;
  }

  /** Which requests take no step here. */
  boolean[] skips() {
    boolean[] skips = new boolean[factors.length];
    for (int j = 0; j < skips.length; j++) {
      skips[j] = Double.isNaN(factors[j]);
    }
    return skips;
  }

  /** The weights, zeros of requests that take no step. */
  double[][] weightsOfTaken() {
    double[][] finite = weights.clone();
    for (int j = 0; j < finite.length; j++) {
      if (Double.isNaN(factors[j])) {
        finite[j] = new double[weights[j].length];
      }
    }
    return finite;
  }

  /** Whether any request changes anything here. */
  boolean touched() {
    return !rows.isEmpty();
  }

  /** The rows of all requests and their weights, each row once. */
  private static final class Collected {
    private final int requests;
    private final List<Sample> samples = new ArrayList<>();
    private final List<double[]> byRow = new ArrayList<>();
    private final Map<Sample, Integer> places = new HashMap<>();

    Collected(int requests) {
      this.requests = requests;
    }

    private void collect(LoggedStep step, ReplayRequest request, int j, double factor) {
      for (int i = 0; i < step.rows().length; i++) {
        RowChange change = request.changes().get(step.rows()[i]);
        double weight = step.weights()[i] * factor;
        if (change == null || step.weights()[i] == 0) {
          continue;
        }
        add(change.original(), j, -weight * change.part());
        if (!change.removes()) {
          add(change.replacement(), j, weight * change.part());
        }
      }
    }

    private void add(Sample sample, int j, double weight) {
      int place =
          places.computeIfAbsent(
              sample,
              row -> {
                samples.add(row);
                byRow.add(new double[requests]);
                return samples.size() - 1;
              });
      byRow.get(place)[j] += weight;
    }

    private double[][] weights() {
      double[][] weights = new double[requests][byRow.size()];
      for (int i = 0; i < byRow.size(); i++) {
        for (int j = 0; j < requests; j++) {
          weights[j][i] = byRow.get(i)[j];
        }
      }
      return weights;
    }
  }
}
