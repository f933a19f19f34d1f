package dev.lethe.unlearn;

import dev.lethe.backend.Backend;
import dev.lethe.backend.VectorKernels;
import dev.lethe.data.Sample;
import dev.lethe.influence.BatchLimits;
import dev.lethe.influence.DatasetLoss;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.tensor.Tensor;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntConsumer;

/**
 * Losses and gradients of a request, all without dropout and all over the same n, the number of
 * rows the adapter was trained on: the trained objective (1/n)Σ ℓ(z_old) + ½wd‖θ‖² and the target
 * objective, whose sum runs over the rows as they should have been.
 */
final class Objectives {
  private final Backend backend;
  private final DataSplit split;
  private final double rows;
  private final double weightDecay;
  private final DatasetLoss forgotten;
  private final DatasetLoss changed;
  private final DatasetLoss replacements;
  private final DatasetLoss target;
  private final DatasetLoss heldOut;

  /** While a gradient of the target objective is made, the rows done are counted. */
  Objectives(
      AdaptedModel model,
      DataSplit split,
      List<Sample> heldOutRows,
      double weightDecay,
      BatchLimits limits,
      IntConsumer targetRowsDone) {
    this.backend = model.backend();
    this.split = split;
    this.rows = split.retained().size() + split.changes().size();
    this.weightDecay = weightDecay;
    this.forgotten = new DatasetLoss(model, split.forgotten(), limits);
    this.changed =
        new DatasetLoss(
            model, split.effective().stream().map(Change::original).toList(), limits);
    this.replacements =
        new DatasetLoss(
            model,
            split.effective().stream()
                .filter(change -> change.replacement() != null)
                .map(Change::replacement)
                .toList(),
            limits);
    this.target = new DatasetLoss(model, split.target(), limits).watched(targetRowsDone);
    this.heldOut = new DatasetLoss(model, heldOutRows, limits);
  }

  /** n. */
  double rows() {
    return rows;
  }

  /** b = (1/n) Σ_S [∇ℓ(z_old) − ∇ℓ(z_new)]; a row that is replaced by itself has no part in it. */
  void request(Tensor theta, Tensor b) {
    backend.vectors().fill(b, 0);
    changed.addGradient(theta, 1 / rows, b);
    replacements.addGradient(theta, -1 / rows, b);
  }

  /**
   * The gradient of the target objective.
   *
   * @param g (P) out
   * @return the losses of the target rows by id
   */
  Map<String, Double> targetGradient(Tensor theta, Tensor g) {
    VectorKernels vectors = backend.vectors();
    vectors.fill(g, 0);
    double[] losses = target.addGradient(theta, 1 / rows, g);
    if (weightDecay != 0) {
      vectors.axpy(weightDecay, theta, g);
    }
    return byId(target.samples(), losses);
  }

  /** Mean losses by group. */
  Means means(Tensor theta, Map<String, Double> targetLosses) {
    Set<String> replaced = new HashSet<>();
    split.replacements().forEach(sample -> replaced.add(sample.id()));
    double[] newLosses =
        replaced.stream().sorted().mapToDouble(targetLosses::get).toArray();
    double[] retained =
        split.retained().stream().mapToDouble(sample -> targetLosses.get(sample.id())).toArray();
    return new Means(
        mean(forgotten.losses(theta)),
        mean(newLosses),
        mean(retained),
        mean(heldOut.losses(theta)));
  }

  /** The certificate's page of losses. */
  Certificate.Losses losses(Means before, Means after) {
    return new Certificate.Losses(
        pair(split.changes().size(), before.forgotten, after.forgotten),
        pair(split.replacements().size(), before.replacements, after.replacements),
        pair(split.retained().size(), before.retained, after.retained),
        pair(heldOut.size(), before.heldOut, after.heldOut));
  }

  /** Means of the rows' losses; NaN for an empty group. */
  record Means(double forgotten, double replacements, double retained, double heldOut) {}

  private static Certificate.Pair pair(long rows, double before, double after) {
    return rows == 0 ? null : new Certificate.Pair(rows, before, after);
  }

  private static double mean(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value;
    }
    return sum / values.length;
  }

  private static Map<String, Double> byId(List<Sample> samples, double[] losses) {
    Map<String, Double> byId = new HashMap<>();
    for (int i = 0; i < losses.length; i++) {
      byId.put(samples.get(i).id(), losses[i]);
    }
    return byId;
  }
}
