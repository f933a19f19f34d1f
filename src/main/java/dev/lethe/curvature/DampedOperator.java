package dev.lethe.curvature;

import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.tensor.Tensor;

/** C + λI. It borrows C: closing it leaves C open. */
public final class DampedOperator implements CurvatureOperator {
  private final Backend backend;
  private final CurvatureOperator curvature;
  private final double damping;

  /**
   * @param backend where the vectors lie
   * @param damping λ ≥ 0
   */
  public DampedOperator(Backend backend, CurvatureOperator curvature, double damping) {
    this.backend = backend;
    this.curvature = curvature;
    this.damping = requireDamping(damping);
  }

  public static double requireDamping(double damping) {
    if (!(damping >= 0) || Double.isInfinite(damping)) {
      throw new LetheException(
          "damping", "must be a finite number that is not negative", "0 or more",
          Double.toString(damping), "Pass another damping.");
    }
    return damping;
  }

  @Override
  public String name() {
    return nameOf(curvature, damping);
  }

  public static String nameOf(CurvatureOperator curvature, double damping) {
    return damping == 0 ? curvature.name() : curvature.name() + " + " + damping + " I";
  }

  @Override
  public long dimension() {
    return curvature.dimension();
  }

  /** λ. */
  public double damping() {
    return damping;
  }

  @Override
  public void apply(Tensor v, Tensor out) {
    curvature.apply(v, out);
    if (damping != 0) {
      backend.vectors().axpy(damping, v, out);
    }
  }

  @Override
  public long products() {
    return curvature.products();
  }

  @Override
  public void close() {}
}
