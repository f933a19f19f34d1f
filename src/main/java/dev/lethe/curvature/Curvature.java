package dev.lethe.curvature;

import dev.lethe.LetheException;
import dev.lethe.autograd.Adjoints;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** Which curvature of the losses. */
public enum Curvature {
  /** Generalised Gauss-Newton, JᵀH_ℓJ: positive semi-definite. Schraudolph 2002. */
  GGN,
  /** The exact Hessian; indefinite away from a minimum. */
  HESSIAN,
  /** The empirical Fisher matrix, the mean of ∇ℓᵢ∇ℓᵢᵀ: positive semi-definite. */
  FISHER,
  /** EK-FAC of the Gauss-Newton curvature, see {@link Ekfac}: positive semi-definite. */
  EKFAC;

  /** By name, as on the command line. */
  public static Curvature of(String name) {
    return Arrays.stream(values())
        .filter(kind -> kind.label().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new LetheException(
                    "curvature", "there is no curvature of this name",
                    Arrays.stream(values()).map(Curvature::label).collect(Collectors.joining(", ")),
                    name, "Choose one of them."));
  }

  /** What products with it read of the losses' adjoints. */
  Adjoints adjoints() {
    return switch (this) {
      case GGN -> Adjoints.NONE;
      case HESSIAN -> Adjoints.ALL;
      case FISHER, EKFAC -> Adjoints.ADAPTERS;
    };
  }

  /** The same for the product with so many vectors that is the only one at its linearization. */
  Adjoints adjoints(long vectors) {
    return this == HESSIAN && vectors == 1 ? Adjoints.LOSS : adjoints();
  }

  /**
   * This curvature of the losses of a data set at fixed θ; whoever asks closes it.
   *
   * @param theta (P)
   * @param n what the sum over samples is divided by
   * @param memory for linearizations that are kept
   * @param seed of what is drawn, which is EK-FAC's labels
   */
  public CurvatureOperator over(
      DatasetLoss loss, Tensor theta, double n, MemoryBudget memory, long seed) {
    if (this == EKFAC) {
      return new EkfacFit(loss, theta, n, seed).fit();
    }
    return loss.isShared()
        ? new SharedCurvature(this, loss, loss.model().workers(), theta, n)
        : new DatasetCurvature(this, loss, theta, n, memory);
  }

  /** The name on the command line. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
