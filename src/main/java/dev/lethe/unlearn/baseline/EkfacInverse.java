package dev.lethe.unlearn.baseline;

import dev.lethe.curvature.Ekfac;
import dev.lethe.curvature.EkfacFit;
import dev.lethe.data.Sample;
import dev.lethe.nn.ParameterLayout;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.List;

/** (C + λI)⁻¹ with C an EK-FAC curvature, and λ a part of each matrix's mean eigenvalue, as in kronfluence. */
final class EkfacInverse implements AutoCloseable {
  private final Ekfac curvature;
  private final double[] damping;

  /**
   * @param curvature taken over
   * @param share of the mean eigenvalue
   */
  EkfacInverse(BaselineWork work, Ekfac curvature, double share) {
    this.curvature = curvature;
    this.damping = curvature.eigenvalues();
    for (ParameterLayout.Parameter each : work.model().layout().parameters()) {
      int from = Math.toIntExact(each.offset());
      int to = Math.toIntExact(from + each.shape().elements());
      double mean = Arrays.stream(damping, from, to).average().orElse(0);
      Arrays.fill(damping, from, to, share * mean);
    }
  }

  /**
   * Fits the curvature at θ (P).
   *
   * @param rows whose mean curvature it is
   * @param share of the mean eigenvalue
   * @param seed of the labels drawn from the model
   */
  static EkfacInverse fitted(BaselineWork work, List<Sample> rows, Tensor theta, double share, long seed) {
    work.phase("curvature", 0);
    EkfacFit fit = new EkfacFit(work.loss(rows), theta, rows.size(), seed);
    EkfacInverse inverse = new EkfacInverse(work, fit.fit(), share);
    work.count(EkfacFit.sampleGradients(rows.size()) * rows.size());
    return inverse;
  }

  /** out = (C + λI)⁻¹ b; b, out (P). */
  void apply(Tensor b, Tensor out) {
    curvature.applyInverse(b.reshape(1, b.elements()), damping, out.reshape(1, out.elements()));
  }

  @Override
  public void close() {
    curvature.close();
  }
}
