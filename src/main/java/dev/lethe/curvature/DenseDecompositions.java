package dev.lethe.curvature;

import dev.lethe.ArgumentException;
import dev.lethe.tensor.SplitMix64;
import java.util.Arrays;
import java.util.Comparator;
import org.ejml.data.DMatrixRMaj;
import org.ejml.dense.row.CommonOps_DDRM;
import org.ejml.dense.row.factory.DecompositionFactory_DDRM;
import org.ejml.interfaces.decomposition.EigenDecomposition_F64;
import org.ejml.interfaces.decomposition.QRDecomposition;

/** Decompositions of small dense matrices in float64, on the heap. Equal inputs give equal bytes. */
public final class DenseDecompositions {
  /** Above this smaller side, the leading singular vectors come from subspace iteration. */
  private static final int EXACT = 256;

  private static final int OVERSAMPLING = 16;
  private static final int ITERATIONS = 3;
  private static final long SEED = 0x737562737061L;

  private DenseDecompositions() {}

  /**
   * The orthonormal eigenvectors of a symmetric matrix.
   *
   * @param symmetric (n,n) row-major; only rounding makes it asymmetric
   * @return (n,n) row-major, an eigenvector a column, by falling eigenvalue
   */
  public static double[] eigenvectors(double[] symmetric, int n) {
    if (symmetric.length != n * n) {
      throw new ArgumentException(symmetric.length + " elements for order " + n);
    }
    return columns(eigen(matrix(symmetric, n, n), n), n, n).data;
  }

  /**
   * The best approximation G ≈ left·right of a rank: exact for matrices whose smaller side is at most
   * 256, by subspace iteration otherwise. Halko, Martinsson and Tropp, arXiv 0909.4061, algorithm 4.4.
   *
   * @param g (rows,columns) row-major
   * @param rank at most the smaller side counts
   */
  public static LowRank lowRank(double[] g, int rows, int columns, int rank) {
    if (rows < columns) {
      DMatrixRMaj transposed = CommonOps_DDRM.transpose(matrix(g, rows, columns), null);
      return tall(transposed, rank).transposed();
    }
    return tall(matrix(g, rows, columns), rank);
  }

  /**
   * The same of G = leftᵀ·right, which is never formed where its factors are {@link #smaller}.
   *
   * @param left (terms,rows) row-major
   * @param right (terms,columns) row-major
   */
  public static LowRank lowRank(double[] left, double[] right, int rows, int columns, int rank) {
    int terms = left.length / rows;
    if (!smaller(terms, rows, columns)) {
      DMatrixRMaj g = new DMatrixRMaj(rows, columns);
      CommonOps_DDRM.multTransA(DMatrixRMaj.wrap(terms, rows, left), DMatrixRMaj.wrap(terms, columns, right), g);
      return lowRank(g.data, rows, columns, rank);
    }
    if (rows < columns) {
      return lowRank(right, left, columns, rows, rank).transposed();
    }
    Product product = new Product(DMatrixRMaj.wrap(terms, rows, left), DMatrixRMaj.wrap(terms, columns, right));
    return leading(product, subspace(product, rank));
  }

  /** Whether so many outer products take less memory than their sum, which is then decomposed without being formed. */
  public static boolean smaller(long terms, long rows, long columns) {
    return Math.min(rows, columns) > EXACT && terms * (rows + columns) < rows * columns;
  }

  /** As {@link #lowRank} of a matrix with at least as many rows as columns. */
  private static LowRank tall(DMatrixRMaj g, int rank) {
    int n = g.numCols;
    Factor whole = new Whole(g);
    return leading(whole, n <= EXACT ? rightVectors(g, Math.min(rank, n)) : subspace(whole, rank));
  }

  private static LowRank leading(Factor g, DMatrixRMaj right) {
    DMatrixRMaj left = new DMatrixRMaj(g.rows(), right.numCols);
    g.times(right, left);
    return new LowRank(left.data, CommonOps_DDRM.transpose(right, null).data, right.numCols);
  }

  /** A matrix that is multiplied by thin ones. */
  private interface Factor {
    int rows();

    int columns();

    /** y = Gx. */
    void times(DMatrixRMaj x, DMatrixRMaj y);

    /** x = Gᵀy. */
    void transposedTimes(DMatrixRMaj y, DMatrixRMaj x);
  }

  /** One that lies in memory. */
  private record Whole(DMatrixRMaj g) implements Factor {
    @Override
    public int rows() {
      return g.numRows;
    }

    @Override
    public int columns() {
      return g.numCols;
    }

    @Override
    public void times(DMatrixRMaj x, DMatrixRMaj y) {
      CommonOps_DDRM.mult(g, x, y);
    }

    @Override
    public void transposedTimes(DMatrixRMaj y, DMatrixRMaj x) {
      CommonOps_DDRM.multTransA(g, y, x);
    }
  }

  /** leftᵀ·right. */
  private record Product(DMatrixRMaj left, DMatrixRMaj right) implements Factor {
    @Override
    public int rows() {
      return left.numCols;
    }

    @Override
    public int columns() {
      return right.numCols;
    }

    @Override
    public void times(DMatrixRMaj x, DMatrixRMaj y) {
      through(right, x, left, y);
    }

    @Override
    public void transposedTimes(DMatrixRMaj y, DMatrixRMaj x) {
      through(left, y, right, x);
    }

    /** out = lastᵀ·(first·in). */
    private static void through(DMatrixRMaj first, DMatrixRMaj in, DMatrixRMaj last, DMatrixRMaj out) {
      DMatrixRMaj middle = new DMatrixRMaj(first.numRows, in.numCols);
      CommonOps_DDRM.mult(first, in, middle);
      CommonOps_DDRM.multTransA(last, middle, out);
    }
  }

  /** The k leading right singular vectors of G, the eigenvectors of GᵀG. */
  private static DMatrixRMaj rightVectors(DMatrixRMaj g, int k) {
    int n = g.numCols;
    DMatrixRMaj gram = new DMatrixRMaj(n, n);
    CommonOps_DDRM.multTransA(g, g, gram);
    return columns(eigen(gram, n), n, k);
  }

  /** The leading right singular vectors of G within the span of (GᵀG)ⁱΩ, at most {@code rank}. */
  private static DMatrixRMaj subspace(Factor g, int rank) {
    int k = Math.min(rank, g.columns());
    int width = Math.min(g.columns(), k + OVERSAMPLING);
    DMatrixRMaj basis = new DMatrixRMaj(g.columns(), width);
    for (int i = 0; i < basis.data.length; i++) {
      basis.data[i] = SplitMix64.uniform(SEED, i) - 0.5;
    }
    DMatrixRMaj image = new DMatrixRMaj(g.rows(), width);
    for (int i = 0; i < ITERATIONS; i++) {
      g.times(orthonormal(basis), image);
      g.transposedTimes(orthonormal(image), basis);
    }
    DMatrixRMaj q = orthonormal(basis);
    g.times(q, image);
    DMatrixRMaj vectors = new DMatrixRMaj(g.columns(), k);
    CommonOps_DDRM.mult(q, rightVectors(image, k), vectors);
    return vectors;
  }

  /**
   * Orthonormal columns that span those of a matrix, and others where it has less than full rank.
   *
   * @param a (rows,columns) row-major, at least as many rows as columns
   * @return (rows,columns) row-major
   */
  public static double[] orthonormal(double[] a, int rows, int columns) {
    return orthonormal(DMatrixRMaj.wrap(rows, columns, a)).data;
  }

  private static DMatrixRMaj orthonormal(DMatrixRMaj a) {
    QRDecomposition<DMatrixRMaj> qr = DecompositionFactory_DDRM.qr(a.numRows, a.numCols);
    require(qr.decompose(a.copy()));
    return qr.getQ(null, true);
  }

  private static EigenDecomposition_F64<DMatrixRMaj> eigen(DMatrixRMaj symmetric, int n) {
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < i; j++) {
        double mean = 0.5 * (symmetric.get(i, j) + symmetric.get(j, i));
        symmetric.set(i, j, mean);
        symmetric.set(j, i, mean);
      }
    }
    EigenDecomposition_F64<DMatrixRMaj> eigen = DecompositionFactory_DDRM.eig(n, true, true);
    require(eigen.decompose(symmetric));
    return eigen;
  }

  /** The eigenvectors of the k largest eigenvalues as columns (n,k). */
  private static DMatrixRMaj columns(EigenDecomposition_F64<DMatrixRMaj> eigen, int n, int k) {
    Integer[] order = new Integer[n];
    for (int i = 0; i < n; i++) {
      order[i] = i;
    }
    Arrays.sort(
        order,
        Comparator.comparingDouble(i -> -eigen.getEigenvalue(i).getReal()));
    DMatrixRMaj vectors = new DMatrixRMaj(n, k);
    for (int j = 0; j < k; j++) {
      DMatrixRMaj column = eigen.getEigenVector(order[j]);
      for (int i = 0; i < n; i++) {
        vectors.set(i, j, column.get(i));
      }
    }
    return vectors;
  }

  private static DMatrixRMaj matrix(double[] values, int rows, int columns) {
    return DMatrixRMaj.wrap(rows, columns, values.clone());
  }

  private static void require(boolean decomposed) {
    if (!decomposed) {
      throw new ArithmeticException("a dense matrix could not be decomposed: it is not finite");
    }
  }

  /**
   * A product of two thin matrices.
   *
   * @param left (rows,rank) row-major
   * @param right (rank,columns) row-major
   */
  public record LowRank(double[] left, double[] right, int rank) {
    private LowRank transposed() {
      int rows = right.length / Math.max(1, rank);
      int columns = left.length / Math.max(1, rank);
      return new LowRank(
          CommonOps_DDRM.transpose(DMatrixRMaj.wrap(rank, rows, right), null).data,
          CommonOps_DDRM.transpose(DMatrixRMaj.wrap(columns, rank, left), null).data,
          rank);
    }
  }
}
