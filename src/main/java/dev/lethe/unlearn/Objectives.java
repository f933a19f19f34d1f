package dev.lethe.unlearn;

import dev.lethe.backend.Backend;
import dev.lethe.backend.Vectors;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.tensor.Tensor;
import dev.lethe.unlearn.certificate.Certificate;
import dev.lethe.unlearn.request.Change;
import dev.lethe.unlearn.request.Measuring;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.IntConsumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Losses and gradients of a request, all without dropout and all over the same n, the number of
 * rows the adapter was trained on: the trained objective (1/n)Σ ℓ(z_old) + ½wd‖θ‖² and the target
 * objective, whose sum runs over the rows as they should have been, or over a part of them that is
 * drawn for the certificate.
 */
final class Objectives {
  private final Backend backend;
  private final UnlearnRequest request;
  private final double rows;
  private final double weightDecay;
  private final DatasetLoss forgotten;
  private final DatasetLoss changed;
  private final DatasetLoss replacements;
  private final DatasetLoss newVersions;
  private final DatasetLoss target;
  private final double targetDivisor;
  private final int[] retained;
  private final DatasetLoss heldOut;

  /** While a gradient of the target objective is made, the rows done are counted. */
  Objectives(
      AdaptedModel model,
      UnlearnRequest request,
      List<Sample> heldOutRows,
      Measuring measuring,
      IntConsumer targetRowsDone) {
    BatchLimits limits = measuring.limits();
    this.backend = model.backend();
    this.request = request;
    this.rows = request.rows();
    this.weightDecay = measuring.weightDecay();
    this.forgotten = new DatasetLoss(model, request.forgotten(), limits);
    this.changed =
        new DatasetLoss(
            model, request.effective().stream().map(Change::original).toList(), limits);
    this.replacements =
        new DatasetLoss(
            model,
            request.effective().stream()
                .filter(change -> change.replacement() != null)
                .map(Change::replacement)
                .toList(),
            limits);
    this.newVersions = new DatasetLoss(model, request.replacements(), limits);
    DrawnRows measured = DrawnRows.ofCertificate(request, measuring);
    this.target = new DatasetLoss(model, measured.samples(), limits).watched(targetRowsDone);
    this.targetDivisor = measured.divisor();
    this.retained = retained(request, measured.samples());
    this.heldOut = new DatasetLoss(model, heldOutRows, limits);
  }

  /** The places of the rows that nobody asked to change. */
  private static int[] retained(UnlearnRequest request, List<Sample> rows) {
    Set<String> replaced =
        request.replacements().stream().map(Sample::id).collect(Collectors.toSet());
    return IntStream.range(0, rows.size())
        .filter(i -> !replaced.contains(rows.get(i).id()))
        .toArray();
  }

  /** How many rows the gradient of the target objective is measured over. */
  int targetRows() {
    return target.size();
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
   * @return the losses of its rows
   */
  double[] targetGradient(Tensor theta, Tensor g) {
    Vectors vectors = backend.vectors();
    vectors.fill(g, 0);
    double[] losses = target.addGradient(theta, 1 / targetDivisor, g);
    if (weightDecay != 0) {
      vectors.axpy(weightDecay, theta, g);
    }
    return losses;
  }

  /** Mean losses by group; those of the retained rows come from {@link #targetGradient}. */
  Means means(Tensor theta, double[] targetLosses) {
    return new Means(
        mean(forgotten.losses(theta)),
        mean(newVersions.losses(theta)),
        mean(Arrays.stream(retained).mapToDouble(i -> targetLosses[i]).toArray()),
        mean(heldOut.losses(theta)));
  }

  /** The certificate's page of losses. */
  Certificate.Losses losses(Means before, Means after) {
    return new Certificate.Losses(
        pair(request.changes().size(), before.forgotten, after.forgotten),
        pair(request.replacements().size(), before.replacements, after.replacements),
        pair(retained.length, before.retained, after.retained),
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
}
