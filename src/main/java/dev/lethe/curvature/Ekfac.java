package dev.lethe.curvature;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.function.IntToDoubleFunction;

/**
 * EK-FAC of the Gauss-Newton curvature: for each LoRA matrix, the eigenvectors of the Kronecker factors
 * of its curvature, and in this basis the true second moments of sampled gradients in place of products
 * of eigenvalues. George et al., arXiv 1806.03884. Positive semi-definite, and its inverse with any
 * damping costs one product.
 */
public final class Ekfac implements InvertibleCurvature {
  /** Elements that pass through the Java heap at a time. */
  private static final int CHUNK = 1 << 18;

  private final Backend backend;
  private final EkfacBasis basis;
  private final double[] eigenvalues;
  private long products;

  /**
   * @param basis taken over
   * @param eigenvalues Λ of each of its coordinates, none negative
   */
  public Ekfac(Backend backend, EkfacBasis basis, double[] eigenvalues) {
    if (eigenvalues.length != basis.coordinates()) {
      throw new ArgumentException(
          Text.format("%d eigenvalues of %d", eigenvalues.length, basis.coordinates()));
    }
    this.backend = backend;
    this.basis = basis;
    this.eigenvalues = eigenvalues;
  }

  /**
   * Adds scale·(coordinate)² of every row to eigenvalues.
   *
   * @param rows sampled gradients (m,P), vector type
   * @param eigenvalues (P), added to
   */
  public static void addSecondMoments(
      Backend backend, EkfacBasis basis, Tensor rows, double scale, double[] eigenvalues) {
    try (Scope scope = backend.openScope("ekfac moments")) {
      Tensor coordinates = scope.allocate(backend.vectorType(), rows.dim(0), basis.coordinates());
      basis.project(rows, coordinates);
      overChunks(
          backend,
          coordinates,
          false,
          (at, values) -> {
            for (int i = 0; i < values.length; i++) {
              eigenvalues[at + i] += scale * values[i] * values[i];
            }
          });
    }
  }

  @Override
  public String name() {
    return Curvature.EKFAC.label();
  }

  @Override
  public long dimension() {
    return basis.parameters();
  }

  /** The basis. */
  public EkfacBasis basis() {
    return basis;
  }

  /** Λ (P). */
  public double[] eigenvalues() {
    return eigenvalues.clone();
  }

  @Override
  public void apply(Tensor v, Tensor out) {
    backend.vectors().fill(out, 0);
    addProduct(v, 1, out);
  }

  /** Adds scale·C v to out for each of k vectors; v, out (k,P). */
  public void addProduct(Tensor v, double scale, Tensor out) {
    addFunction(v, scale, i -> eigenvalues[i], out);
    products += v.dim(0);
  }

  @Override
  public void applyInverse(Tensor b, double damping, Tensor out) {
    DampedOperator.requireDamping(damping);
    backend.vectors().fill(out, 0);
    addFunction(b, 1, i -> inverse(eigenvalues[i] + damping), out);
  }

  /**
   * out = (C + D)⁻¹ b for each of k vectors at once, with D diagonal in the eigenvectors' basis; the pseudo-inverse
   * where C + D is 0.
   *
   * @param b (k,P)
   * @param damping D (P), none negative
   * @param out (k,P), overwritten; must not be b
   */
  public void applyInverse(Tensor b, double[] damping, Tensor out) {
    backend.vectors().fill(out, 0);
    addFunction(b, 1, i -> inverse(eigenvalues[i] + damping[i]), out);
  }

  private static double inverse(double value) {
    return value > 0 ? 1 / value : 0;
  }

  /** out += scale·Q F Qᵀ v, F diagonal by coordinate. */
  private void addFunction(Tensor v, double scale, IntToDoubleFunction f, Tensor out) {
    try (Scope scope = backend.openScope("ekfac product")) {
      Tensor coordinates = scope.allocate(backend.vectorType(), v.dim(0), basis.coordinates());
      basis.project(v, coordinates);
      overChunks(
          backend,
          coordinates,
          true,
          (at, values) -> {
            for (int i = 0; i < values.length; i++) {
              values[i] *= f.applyAsDouble(at + i);
            }
          });
      basis.addExpansion(coordinates, scale, out);
    }
  }

  private static void overChunks(Backend backend, Tensor vectors, boolean write, Chunk work) {
    double[] chunk = {};
    for (long j = 0; j < vectors.dim(0); j++) {
      for (long at = 0; at < vectors.dim(1); at += CHUNK) {
        int count = (int) Math.min(CHUNK, vectors.dim(1) - at);
        chunk = chunk.length == count ? chunk : new double[count];
        Tensor values = Tensor.of(Shape.of(count), chunk);
        Tensor there = vectors.row(j).section(at, values.shape());
        backend.download(there, values);
        work.apply(Math.toIntExact(at), chunk);
        if (write) {
          backend.upload(values, there);
        }
      }
    }
  }

  @Override
  public long products() {
    return products;
  }

  @Override
  public void close() {
    basis.close();
  }

  @FunctionalInterface
  private interface Chunk {
    void apply(int at, double[] values);
  }
}
