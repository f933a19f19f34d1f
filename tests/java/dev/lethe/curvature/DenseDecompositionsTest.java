package dev.lethe.curvature;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Eigenvectors and low-rank approximations. */
class DenseDecompositionsTest {
  private static final long SEED = 5;

  @Test
  void eigenvectorsAreOrthonormalAndDiagonalise() {
    int n = 13;
    double[] g = random(n, n);
    double[] a = times(transposed(g, n, n), g, n, n, n);
    double[] q = DenseDecompositions.eigenvectors(a, n);
    double[] gram = times(transposed(q, n, n), q, n, n, n);
    double[] diagonal = times(transposed(q, n, n), times(a, q, n, n, n), n, n, n);
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < n; j++) {
        assertEquals(i == j ? 1 : 0, gram[i * n + j], 1e-12);
        assertEquals(0, i == j ? 0 : diagonal[i * n + j], 1e-10);
      }
      assertTrue(i == 0 || diagonal[i * n + i] <= diagonal[(i - 1) * (n + 1)] + 1e-12);
    }
  }

  @ParameterizedTest
  @CsvSource({"11,7,16", "7,11,16", "40,9,4", "9,40,4", "300,280,5", "270,310,5"})
  void theApproximationHasTheSmallestError(int rows, int columns, int rank) {
    int k = Math.min(rank, Math.min(rows, columns));
    double[] left = orthonormal(rows, k);
    double[] right = orthonormal(columns, k);
    double[] noise = random(rows, columns);
    double[] g = new double[rows * columns];
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        for (int t = 0; t < k; t++) {
          g[i * columns + j] += (10 - t) * left[i * k + t] * right[j * k + t];
        }
        g[i * columns + j] += rank < Math.min(rows, columns) ? 1e-6 * noise[i * columns + j] : 0;
      }
    }
    DenseDecompositions.LowRank found = DenseDecompositions.lowRank(g, rows, columns, rank);
    assertEquals(k, found.rank());
    double[] product = times(found.left(), found.right(), rows, k, columns);
    double bound = rank < Math.min(rows, columns) ? 1e-4 : 1e-10;
    assertArrayEquals(g, product, bound, "seed " + SEED);
  }

  /** A matrix that is given as a sum of outer products, formed or not, has the approximation of the formed one. */
  @ParameterizedTest
  @CsvSource({"40,9,30,4", "300,280,20,5", "270,310,20,5", "300,280,200,5"})
  void ofAProductTheApproximationIsThatOfItsValue(int rows, int columns, int terms, int rank) {
    double[] left = random(terms, rows);
    double[] right = random(terms, columns);
    double[] g = times(transposed(left, terms, rows), right, rows, terms, columns);
    DenseDecompositions.LowRank expected = DenseDecompositions.lowRank(g, rows, columns, rank);
    DenseDecompositions.LowRank found = DenseDecompositions.lowRank(left, right, rows, columns, rank);
    assertEquals(terms == 20, DenseDecompositions.smaller(terms, rows, columns));
    assertArrayEquals(
        times(expected.left(), expected.right(), rows, rank, columns),
        times(found.left(), found.right(), rows, rank, columns), 1e-9, "seed " + SEED);
  }

  private static double[] orthonormal(int n, int k) {
    double[] q = random(n, k);
    for (int t = 0; t < k; t++) {
      for (int s = 0; s < t; s++) {
        double dot = 0;
        for (int i = 0; i < n; i++) {
          dot += q[i * k + t] * q[i * k + s];
        }
        for (int i = 0; i < n; i++) {
          q[i * k + t] -= dot * q[i * k + s];
        }
      }
      double norm = 0;
      for (int i = 0; i < n; i++) {
        norm += q[i * k + t] * q[i * k + t];
      }
      for (int i = 0; i < n; i++) {
        q[i * k + t] /= Math.sqrt(norm);
      }
    }
    return q;
  }

  private static double[] random(int rows, int columns) {
    SplittableRandom random = new SplittableRandom(SEED + rows * 1000L + columns);
    return random.doubles((long) rows * columns, -1, 1).toArray();
  }

  private static double[] times(double[] a, double[] b, int rows, int depth, int columns) {
    double[] c = new double[rows * columns];
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        for (int t = 0; t < depth; t++) {
          c[i * columns + j] += a[i * depth + t] * b[t * columns + j];
        }
      }
    }
    return c;
  }

  private static double[] transposed(double[] a, int rows, int columns) {
    double[] t = new double[a.length];
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        t[j * rows + i] = a[i * columns + j];
      }
    }
    return t;
  }
}
