package dev.lethe.replay.operator;

import dev.lethe.curvature.Ekfac;
import dev.lethe.tensor.Tensor;

/** EK-FAC of the run's mean Gauss-Newton curvature, the same at every step. */
public final class EkfacOperator implements ReplayOperator {
  private final Ekfac ekfac;

  /**
   * @param ekfac taken over
   */
  public EkfacOperator(Ekfac ekfac) {
    this.ekfac = ekfac;
  }

  @Override
  public String name() {
    return ekfac.name();
  }

  @Override
  public void addProduct(int step, Tensor d, double scale, Tensor out) {
    ekfac.addProduct(d, scale, out);
  }

  @Override
  public void close() {
    ekfac.close();
  }
}
