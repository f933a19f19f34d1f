package dev.lethe.backend.kernel;

import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/**
 * Selection of rows and columns, and sums over rows. {@link #gather} is both forward and tangent, {@link #scatter} both
 * backward and backward tangent; {@link #copyColumns} is all four.
 */
public interface RowKernels {
  /** y[j] = x[rows[j]]. */
  void gather(Gather call);

  /** x̄[rows[j]] = ȳ[j], zero elsewhere. */
  void scatter(Scatter call);

  /** to[…, toColumn + j] = from[…, fromColumn + j] for j below the width; the other columns stay. */
  void copyColumns(CopyColumns call);

  /** Adds scale·aᵀb, the sum of the outer products of rows, to out. */
  void addOuter(AddOuter call);

  /**
   * @param rows I32 (M), ascending, without repeats
   * @param x (N,D) or (k,N,D)
   * @param y (M,D) or (k,M,D) out
   */
  record Gather(Tensor rows, Tensor x, Tensor y) implements KernelCall {
    @Override
    public String name() {
      return "rows.gather";
    }

    @Override
    public void require(Arguments check) {
      requireSelection(check, rows, x, "x", y, "y");
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, rows, x, y);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.rows().gather(this);
    }
  }

  /**
   * @param rows I32 (M), ascending, without repeats
   * @param gy (M,D) or (k,M,D)
   * @param gx (N,D) or (k,N,D) out
   */
  record Scatter(Tensor rows, Tensor gy, Tensor gx) implements KernelCall {
    @Override
    public String name() {
      return "rows.scatter";
    }

    @Override
    public void require(Arguments check) {
      requireSelection(check, rows, gx, "gx", gy, "gy");
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(0, rows, gy, gx);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.rows().scatter(this);
    }
  }

  /**
   * @param from (N,D) or (k,N,D)
   * @param to the same with another last dimension, in and out
   */
  record CopyColumns(Tensor from, long fromColumn, Tensor to, long toColumn, long width)
      implements KernelCall {
    @Override
    public String name() {
      return "rows.copyColumns";
    }

    @Override
    public void require(Arguments check) {
      check.rank("from", from, 2, 3);
      long[] dims = from.shape().toArray();
      check.activation("from", from, dims);
      dims[dims.length - 1] = to.dim(-1);
      check.activation("to", to, dims);
      check.that(
          width > 0 && fromColumn >= 0 && fromColumn + width <= from.dim(-1),
          "fromColumn",
          "columns within " + from.dim(-1),
          fromColumn + " and " + width + " from there");
      check.that(
          toColumn >= 0 && toColumn + width <= to.dim(-1),
          "toColumn",
          "columns within " + to.dim(-1),
          toColumn + " and " + width + " from there");
    }

    @Override
    public KernelCost cost(DType weights) {
      double bytes = 2.0 * from.shape().rows() * width * from.dtype().bytes();
      return new KernelCost(0, bytes);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.rows().copyColumns(this);
    }
  }

  /**
   * @param a (N,p) in activation format
   * @param b (N,q) in activation format
   * @param out (p,q) in vector format, added to
   */
  record AddOuter(Tensor a, Tensor b, double scale, Tensor out) implements KernelCall {
    @Override
    public String name() {
      return "rows.addOuter";
    }

    @Override
    public void require(Arguments check) {
      check.rank("a", a, 2);
      check.rank("b", b, 2);
      check.columns("a", a, a.dim(0), a.dim(1));
      check.columns("b", b, a.dim(0), b.dim(1));
      check.vector("out", out, a.dim(1), b.dim(1));
    }

    @Override
    public KernelCost cost(DType weights) {
      return KernelCost.of(2.0 * a.elements() * b.dim(1), a, b, out);
    }

    @Override
    public void on(Kernels kernels) {
      kernels.rows().addOuter(this);
    }
  }

  private static void requireSelection(
      Arguments check, Tensor rows, Tensor all, String allName, Tensor some, String someName) {
    check.rank("rows", rows, 1);
    check.integers("rows", rows, rows.dim(0));
    check.rank(allName, all, 2, 3);
    long[] dims = all.shape().toArray();
    check.activation(allName, all, dims);
    dims[dims.length - 2] = rows.dim(0);
    check.activation(someName, some, dims);
  }
}
