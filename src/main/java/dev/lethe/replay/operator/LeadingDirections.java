package dev.lethe.replay.operator;

import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.SketchKernels;
import dev.lethe.curvature.DenseDecompositions;
import dev.lethe.nn.HostTensors;
import dev.lethe.replay.operator.SketchedGgn.Part;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.SplitMix64;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * A sketch B (K,P) of few rows with the leading directions of a longer one F (N,P), whose rows are taken with the roots
 * of their weights: B = QᵀF, where the orthonormal columns of Q (N,K) span FFᵀΩ. Every column of Ω has random signs at N/K
 * consecutive rows. So BᵀB ≤ FᵀF. One step of the subspace iteration of Halko, Martinsson and Tropp, arXiv 0909.4061,
 * algorithm 4.3.
 */
public final class LeadingDirections {
  /** Rows of B that are made together. */
  private static final int TOGETHER = 60;

  /** Rows of F that are copied to a device at a time. */
  private static final int BLOCK = 64;

  /** Vectors (P) of float32 that this takes on a device: rows of B, and a block of bfloat16. */
  public static final int VECTORS = TOGETHER + BLOCK / 2;

  private static final long SEED = 0x6c656164696e67L;

  private final Backend backend;
  private final List<Part> parts;
  private final int rows;
  private final int rank;
  private final long columns;
  private final boolean host;

  /**
   * @param parts of F, in host memory
   * @param rank K, at most N
   */
  public LeadingDirections(Backend backend, List<Part> parts, int rank) {
    this.backend = backend;
    this.parts = parts;
    this.rows = Math.toIntExact(SketchedGgn.rowsOf(parts));
    this.rank = rank;
    this.columns = parts.getFirst().rows().dim(1);
    this.host = HostTensors.inHostMemory(backend);
  }

  /**
   * Finds them.
   *
   * @param reduced takes B (K,P), in host memory
   * @return what part of F's trace B has, about
   */
  public double writeTo(Tensor reduced) {
    try (Scope scope = backend.openScope("leading directions")) {
      Tensor some = scope.allocate(backend.vectorType(), Math.min(rank, TOGETHER), columns);
      double[] images = images(some);
      double[] q = DenseDecompositions.orthonormal(images, rows, rank);
      double trace = 0;
      for (int k = 0; k < rank; k += TOGETHER) {
        Tensor now = some.slice(0, Math.min(TOGETHER, rank - k));
        combine(q, k, now);
        trace += backend.vectors().dot(now, now);
        for (int j = 0; j < now.dim(0); j++) {
          backend.download(now.row(j), reduced.row(k + j));
        }
      }
      double whole = trace(images);
      return trace < whole ? trace / whole : 1;
    }
  }

  /** tr(FFᵀ) as tr(ΩᵀFFᵀΩ), which is right in the mean over signs. */
  private double trace(double[] images) {
    double trace = 0;
    for (int j = 0; j < rank; j++) {
      for (int i = begin(j); i < begin(j + 1); i++) {
        trace += sign(i) * images[i * rank + j];
      }
    }
    return trace;
  }

  /** FFᵀΩ (N,K), row-major. */
  private double[] images(Tensor some) {
    double[] images = new double[rows * rank];
    for (int first = 0; first < rank; first += TOGETHER) {
      int k = first;
      Tensor now = some.slice(0, Math.min(TOGETHER, rank - k));
      backend.vectors().fill(now, 0);
      forEachBlock((block, root, at) -> addSigned(block, root, at, k, now));
      forEachBlock(
          (block, root, at) -> {
            int n = Math.toIntExact(block.dim(0));
            try (Scope pass = backend.openScope("images of rows")) {
              Tensor dots = pass.allocate(backend.vectorType(), now.dim(0), n);
              backend.run(new SketchKernels.Dots(block, now, dots));
              double[] values = HostTensors.doubles(backend, dots);
              for (int place = 0; place < values.length; place++) {
                images[(at + place % n) * rank + k + place / n] = root * values[place];
              }
            }
          });
    }
    return images;
  }

  /** Adds what a block has of columns {@code k …} of FᵀΩ, whose nonzeros in column j are rows N·j/K to N·(j+1)/K. */
  private void addSigned(Tensor block, double root, int at, int k, Tensor out) {
    int end = at + Math.toIntExact(block.dim(0));
    try (Scope pass = backend.openScope("signs of rows")) {
      for (int j = 0; j < out.dim(0); j++) {
        int first = Math.max(at, begin(k + j));
        int last = Math.min(end, begin(k + j + 1));
        if (first < last) {
          double[] signs = new double[last - first];
          for (int i = 0; i < signs.length; i++) {
            signs[i] = sign(first + i);
          }
          Tensor weights = HostTensors.uploaded(backend, pass, Tensor.of(Shape.of(1, signs.length), signs));
          Tensor some = block.slice(first - at, signs.length);
          backend.run(new SketchKernels.AddCombination(weights, root, some, out.slice(j, 1)));
        }
      }
    }
  }

  private static double sign(int row) {
    return SplitMix64.uniform(SEED, row) < 0.5 ? -1 : 1;
  }

  private int begin(int column) {
    return Math.toIntExact((long) rows * column / rank);
  }

  /** out = columns {@code k …} of Qᵀ times F. */
  private void combine(double[] q, int k, Tensor out) {
    backend.vectors().fill(out, 0);
    forEachBlock(
        (block, root, at) -> {
          int n = Math.toIntExact(block.dim(0));
          double[] values = new double[Math.toIntExact(out.dim(0) * n)];
          for (int place = 0; place < values.length; place++) {
            values[place] = q[(at + place % n) * rank + k + place / n];
          }
          try (Scope pass = backend.openScope("shares of rows")) {
            Tensor weights = HostTensors.uploaded(backend, pass, Tensor.of(Shape.of(out.dim(0), n), values));
            backend.run(new SketchKernels.AddCombination(weights, root, block, out));
          }
        });
  }

  /** Something that is done with some rows of F. */
  @FunctionalInterface
  private interface Work {
    /**
     * @param block rows in the memory that the backend computes in
     * @param root of their weight
     * @param at place of the first
     */
    void on(Tensor block, double root, int at);
  }

  private void forEachBlock(Work work) {
    int at = 0;
    for (Part part : parts) {
      double root = Math.sqrt(part.weight());
      int n = Math.toIntExact(part.rows().dim(0));
      int most = host ? n : BLOCK;
      for (int i = 0; i < n; i += most) {
        Tensor some = part.rows().slice(i, Math.min(most, n - i));
        try (Scope pass = backend.openScope("rows of a sketch")) {
          work.on(there(some, pass), root, at + i);
        }
      }
      at += n;
    }
  }

  private Tensor there(Tensor some, Scope owner) {
    if (host) {
      return some;
    }
    Tensor copy = owner.allocate(some.dtype(), some.shape());
    backend.upload(some, copy);
    return copy;
  }
}
