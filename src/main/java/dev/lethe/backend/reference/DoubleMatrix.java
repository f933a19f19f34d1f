package dev.lethe.backend.reference;

import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * A row-major matrix on the Java heap; what kernels copy their arguments into and results out of.
 */
record DoubleMatrix(int rows, int cols, double[] values) {
  private static final ValueLayout.OfDouble F64 =
      ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  static DoubleMatrix zeros(long rows, long cols) {
    return new DoubleMatrix(
        Math.toIntExact(rows), Math.toIntExact(cols), new double[Math.toIntExact(rows * cols)]);
  }

  /** The numbers of an F64 tensor; leading axes are folded into the rows. */
  static DoubleMatrix of(Tensor tensor) {
    long cols = tensor.shape().rank() == 0 ? 1 : tensor.dim(-1);
    DoubleMatrix copy = zeros(tensor.shape().rows(), cols);
    if (tensor.isDense()) {
      MemorySegment.copy(tensor.segment(), F64, 0, copy.values, 0, copy.values.length);
    } else {
      for (int row = 0; row < copy.rows; row++) {
        MemorySegment.copy(line(tensor, row).segment(), F64, 0, copy.values, row * copy.cols, copy.cols);
      }
    }
    return copy;
  }

  /** One of a tensor's rows, counted over all axes but the last. */
  private static Tensor line(Tensor tensor, int row) {
    if (tensor.shape().rank() == 2) {
      return tensor.slice(row, 1);
    }
    int inside = Math.toIntExact(tensor.shape().withoutFirst().rows());
    return line(tensor.row(row / inside), row % inside);
  }

  /** Entry {@code k} along the first axis of a (k,rows,cols) tensor; null is zero. */
  static DoubleMatrix direction(Tensor tensor, long k, long rows, long cols) {
    return tensor == null ? zeros(rows, cols) : of(tensor.row(k));
  }

  /** Overwrites an F64 tensor of as many elements. */
  void store(Tensor tensor) {
    if (tensor.isDense()) {
      MemorySegment.copy(values, 0, tensor.segment(), F64, 0, values.length);
      return;
    }
    for (int row = 0; row < rows; row++) {
      MemorySegment.copy(values, row * cols, line(tensor, row).segment(), F64, 0, cols);
    }
  }

  /** Adds to an F64 tensor of as many elements. */
  void addTo(Tensor tensor) {
    new DoubleMatrix(rows, cols, of(tensor).values).plus(this).store(tensor);
  }

  /** Adds to the tensor or overwrites it. */
  void put(Tensor tensor, boolean accumulate) {
    if (accumulate) {
      addTo(tensor);
    } else {
      store(tensor);
    }
  }

  double at(int row, int col) {
    return values[row * cols + col];
  }

  /** Rows {@code first … end-1}. */
  DoubleMatrix rows(int first, int end) {
    return new DoubleMatrix(end - first, cols, Arrays.copyOfRange(values, first * cols, end * cols));
  }

  DoubleMatrix transposed() {
    DoubleMatrix t = zeros(cols, rows);
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < cols; j++) {
        t.values[j * rows + i] = values[i * cols + j];
      }
    }
    return t;
  }

  /** this·b. */
  DoubleMatrix times(DoubleMatrix b) {
    DoubleMatrix product = zeros(rows, b.cols);
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < cols; j++) {
        Slices.addScaled(at(i, j), b.values, j * b.cols, product.values, i * b.cols, b.cols);
      }
    }
    return product;
  }

  DoubleMatrix plus(DoubleMatrix b) {
    DoubleMatrix sum = zeros(rows, cols);
    for (int i = 0; i < values.length; i++) {
      sum.values[i] = values[i] + b.values[i];
    }
    return sum;
  }

  DoubleMatrix scaled(double factor) {
    DoubleMatrix product = zeros(rows, cols);
    for (int i = 0; i < values.length; i++) {
      product.values[i] = factor * values[i];
    }
    return product;
  }

  /** Σ this∘b. */
  double dot(DoubleMatrix b) {
    return Slices.dot(values, 0, b.values, 0, values.length);
  }
}
