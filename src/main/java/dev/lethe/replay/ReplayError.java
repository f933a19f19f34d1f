package dev.lethe.replay;

import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * How much of the distance to retraining a measured replay closes, without retraining. With u the result, u₂
 * the replay before the last measurements came in, x the replay with the same correction hardly shrunk, o the
 * old parameters and KL the mean divergence of predictions,
 *
 * <pre>
 * closed = 1 − KL(x‖u)/KL(x‖o) − KL(u‖u₂)/KL(u‖o)
 * </pre>
 *
 * The first term is what shrinkage may have left out, the second what the last measurements still moved. How
 * well this holds is in docs/studies/closure-estimate.md.
 */
public final class ReplayError {
  /** An estimate below this is no proof that the result is better than the old parameters. */
  public static final double LEAST = 0.2;

  private final AdaptedModel model;
  private final BatchLimits limits;
  private final MeasuredReplay.Outcome outcome;

  /**
   * @param model whose adapter has the old parameters
   * @param outcome with measurements
   */
  public ReplayError(AdaptedModel model, BatchLimits limits, MeasuredReplay.Outcome outcome) {
    this.model = model;
    this.limits = limits;
    this.outcome = outcome;
  }

  /** The part that is closed on rows: 1 for all of it, and any number below. */
  public double closed(List<Sample> rows) {
    try (Scope scope = model.backend().openScope("estimate of the closure")) {
      Tensor old = model.adapter().theta();
      Tensor result = moved(outcome.replayed().differences(), scope);
      Tensor second = moved(outcome.second(), scope);
      Tensor bold = moved(outcome.bold(), scope);
      double[] divergences =
          Predictions.divergences(
              model,
              rows,
              limits,
              List.of(
                  new Predictions.Pair(bold, result),
                  new Predictions.Pair(bold, old),
                  new Predictions.Pair(result, second),
                  new Predictions.Pair(result, old)));
      return 1 - ratio(divergences[0], divergences[1]) - ratio(divergences[2], divergences[3]);
    }
  }

  /** Nothing is nothing of nothing. */
  private static double ratio(double part, double whole) {
    return part == 0 ? 0 : part / whole;
  }

  private Tensor moved(Tensor difference, Scope scope) {
    Tensor old = model.adapter().theta();
    Tensor theta = scope.allocate(model.backend().vectorType(), old.elements());
    model.backend().upload(difference.row(0), theta);
    model.backend().vectors().axpy(1, old, theta);
    return theta;
  }
}
