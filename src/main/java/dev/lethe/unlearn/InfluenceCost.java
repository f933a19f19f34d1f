package dev.lethe.unlearn;

import dev.lethe.curvature.Curvature;
import dev.lethe.curvature.EkfacFit;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.train.TrainingPlan;
import dev.lethe.train.TrainingRecord;
import dev.lethe.unlearn.certificate.Certificate.Cost;
import dev.lethe.unlearn.certificate.Certificate.OuterStep;
import dev.lethe.unlearn.certificate.Stopwatch;
import dev.lethe.unlearn.request.Change;
import dev.lethe.unlearn.request.UnlearnRequest;
import dev.lethe.unlearn.request.UnlearnTask;

/**
 * What influence steps took, counted in gradients of single rows: one for a forward and a backward, one half for either
 * alone or for its tangent. So a product with a curvature counts one for each of its rows; a linearization that was too
 * large to keep and was made anew is not counted again. What is measured for the certificate alone is not counted.
 */
final class InfluenceCost {
  private InfluenceCost() {}

  /**
   * The certificate's page.
   *
   * @param record of the adapter's training; null where there is none
   */
  static Cost of(
      AdaptedModel model, UnlearnRequest request, EraserFindings found, TrainingRecord record, Stopwatch watch) {
    double gradients = found.options().released() ? released(request, found) : solved(request, found);
    Long retraining =
        record == null
            ? null
            : TrainingPlan.of(request.data(), record.options())
                .sampleGradients(UnlearnTask.of(model, request).edits());
    return new Cost((long) Math.ceil(gradients), retraining, watch.total(), null);
  }

  private static double solved(UnlearnRequest request, EraserFindings found) {
    long fresh = request.effective().stream().map(Change::replacement).filter(row -> row != null).count();
    double gradients = request.effective().size() + fresh;
    for (OuterStep step : found.steps()) {
      gradients += step.step() == 1 ? 0 : request.target().size();
      gradients += found.curvatureRows() * perRow(found, step.products());
    }
    return gradients;
  }

  /** What the curvature of one row takes in one solve. */
  private static double perRow(EraserFindings found, long products) {
    Curvature kind = found.options().curvature();
    return switch (kind) {
      case GGN -> 0.5 + products;
      case HESSIAN, FISHER -> 1 + products;
      case EKFAC -> EkfacFit.sampleGradients(found.curvatureRows());
    };
  }

  /** Single rows, linearized anew for each product. */
  private static double released(UnlearnRequest request, EraserFindings found) {
    long products = found.steps().stream().mapToLong(OuterStep::products).sum();
    return request.forgotten().size() + request.replacements().size() + 2.0 * products;
  }
}
