package dev.lethe.replay.operator;

import dev.lethe.curvature.EkfacBlock;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/**
 * EK-FAC of a matrix D (p,q) in two parts. With S the eigenvectors of the shorter side, R those of the longer one and
 * λ̄ᵢ the mean of Λᵢⱼ over the columns j of R that are not leading, for a longer side on the right
 *
 * <pre>
 * D ↦ S diag(λ̄) SᵀD + S [(Λ − λ̄) ∘ SᵀDRₖ] Rₖᵀ
 * </pre>
 *
 * @param leading S and the leading columns Rₖ
 * @param excess Λ − λ̄ of their coordinates
 * @param mean S diag(λ̄) Sᵀ in place of vectors of the shorter side
 */
record SplitBlock(EkfacBlock leading, double[] excess, EkfacBlock mean) {
  /** Leading are the columns of the largest eigenvalues that hold so much of the trace. */
  private static final double LEADING = 0.7;

  /**
   * Splits a block.
   *
   * @param eigenvalues Λ (P) of all blocks
   */
  static SplitBlock of(EkfacBlock basis, double[] eigenvalues) {
    return new Splitter(basis, eigenvalues).split();
  }

  DoubleStream excesses() {
    return Arrays.stream(excess);
  }

  private static final class Splitter {
    private final EkfacBlock basis;
    private final double[] eigenvalues;
    private final boolean tall;
    private final int shorter;
    private final int longer;
    private final Tensor s;
    private final Tensor r;

    Splitter(EkfacBlock basis, double[] eigenvalues) {
      this.basis = basis;
      this.eigenvalues = eigenvalues;
      this.tall = basis.rows() > basis.columns();
      this.shorter = Math.toIntExact(Math.min(basis.rows(), basis.columns()));
      this.longer = Math.toIntExact(Math.max(basis.rows(), basis.columns()));
      this.s = tall ? basis.right() : basis.left();
      this.r = tall ? basis.left() : basis.right();
    }

    SplitBlock split() {
      int[] order = r == null ? IntStream.range(0, longer).toArray() : falling();
      int k = r == null ? longer : leading(order);
      double[] mean = new double[shorter];
      for (int i = 0; i < shorter; i++) {
        for (int j = k; j < longer; j++) {
          mean[i] += value(i, order[j]) / (longer - k);
        }
      }
      double[] excess = new double[shorter * k];
      for (int i = 0; i < shorter; i++) {
        for (int j = 0; j < k; j++) {
          excess[tall ? j * shorter + i : i * k + j] = value(i, order[j]) - mean[i];
        }
      }
      return new SplitBlock(block(s, r == null ? null : columns(order, k)), excess, block(diagonal(mean), null));
    }

    private EkfacBlock block(Tensor ofShorter, Tensor ofLonger) {
      return tall
          ? new EkfacBlock(basis.offset(), basis.rows(), basis.columns(), ofLonger, ofShorter)
          : new EkfacBlock(basis.offset(), basis.rows(), basis.columns(), ofShorter, ofLonger);
    }

    /** Λ of the shorter side's vector i and the longer one's j. */
    private double value(int i, int j) {
      return eigenvalues[Math.toIntExact(basis.offset()) + (tall ? j * shorter + i : i * longer + j)];
    }

    private double sum(int j) {
      return IntStream.range(0, shorter).mapToDouble(i -> value(i, j)).sum();
    }

    /** The longer side's vectors, those of the largest eigenvalues first. */
    private int[] falling() {
      double[] sums = IntStream.range(0, longer).mapToDouble(this::sum).toArray();
      return IntStream.range(0, longer)
          .boxed()
          .sorted(Comparator.comparingDouble(j -> -sums[j]))
          .mapToInt(Integer::intValue)
          .toArray();
    }

    private int leading(int[] order) {
      double wanted = LEADING * Arrays.stream(order).mapToDouble(this::sum).sum();
      double held = 0;
      int k = 0;
      while (k < longer && (k == 0 || held < wanted)) {
        held += sum(order[k++]);
      }
      return k;
    }

    private Tensor columns(int[] order, int k) {
      double[] all = r.toDoubles();
      double[] some = new double[longer * k];
      for (int row = 0; row < longer; row++) {
        for (int j = 0; j < k; j++) {
          some[row * k + j] = all[row * longer + order[j]];
        }
      }
      return Tensor.of(Shape.of(longer, k), some);
    }

    /** S diag(mean) Sᵀ. */
    private Tensor diagonal(double[] mean) {
      double[] out = new double[shorter * shorter];
      for (int t = 0; t < shorter; t++) {
        for (int i = 0; i < shorter; i++) {
          for (int j = 0; j < shorter; j++) {
            out[i * shorter + j] += mean[t] * vector(i, t) * vector(j, t);
          }
        }
      }
      return Tensor.of(Shape.of(shorter, shorter), out);
    }

    private double vector(int row, int t) {
      if (s == null) {
        return row == t ? 1 : 0;
      }
      return s.get((long) row * shorter + t);
    }
  }
}
