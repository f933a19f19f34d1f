package dev.lethe.replay.operator;

import dev.lethe.backend.Backend;
import dev.lethe.curvature.Curvature;
import dev.lethe.curvature.Ekfac;
import dev.lethe.curvature.EkfacBasis;
import dev.lethe.curvature.EkfacBlock;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * EK-FAC of the run's mean Gauss-Newton curvature, the same at every step. Along the longer side of every matrix only the
 * leading eigenvectors have eigenvalues of their own; the others share their mean, so that the trace is the same and a
 * product takes a small part of the time.
 */
public final class EkfacOperator implements ReplayOperator {
  private final Ekfac leading;
  private final EkfacBasis means;

  /**
   * Copies to the backend what a product reads.
   *
   * @param parameters P
   * @param bases cover θ
   * @param eigenvalues Λ (P)
   */
  public EkfacOperator(Backend backend, long parameters, List<EkfacBlock> bases, double[] eigenvalues) {
    List<SplitBlock> split = bases.stream().map(basis -> SplitBlock.of(basis, eigenvalues)).toList();
    EkfacBasis vectors = new EkfacBasis(backend, parameters, split.stream().map(SplitBlock::leading).toList());
    double[] excess = split.stream().flatMapToDouble(SplitBlock::excesses).toArray();
    this.leading = new Ekfac(backend, vectors, excess);
    this.means = new EkfacBasis(backend, parameters, split.stream().map(SplitBlock::mean).toList());
  }

  @Override
  public String name() {
    return Curvature.EKFAC.label();
  }

  @Override
  public void addProduct(int step, Tensor d, double scale, Tensor out) {
    leading.addProduct(d, scale, out);
    means.addProjection(d, scale, out);
  }

  @Override
  public void close() {
    leading.close();
    means.close();
  }
}
