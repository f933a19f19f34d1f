package dev.lethe.tensor;

import dev.lethe.ArgumentException;
import java.util.Arrays;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/** The sizes of a row-major tensor, outermost first. A scalar has rank 0 and one element. */
public final class Shape {
  private final long[] dims;
  private final long elements;

  private Shape(long[] dims) {
    long product = 1;
    for (long d : dims) {
      if (d < 0) {
        throw new ArgumentException(
            "shape " + Arrays.toString(dims) + " has a negative size");
      }
      product = times(product, d, dims);
    }
    this.dims = dims;
    this.elements = product;
  }

  private static long times(long product, long size, long[] dims) {
    try {
      return Math.multiplyExact(product, size);
    } catch (ArithmeticException e) {
      throw new ArgumentException("shape " + Arrays.toString(dims) + " has more elements than fit into 64 bits");
    }
  }

  /**
   * A shape of the given sizes.
   *
   * @throws ArgumentException where a size is negative or the element count leaves a long
   */
  public static Shape of(long... dims) {
    return new Shape(dims.clone());
  }

  public int rank() {
    return dims.length;
  }

  /** The size of an axis; negative axes count from the last, as in NumPy. */
  public long dim(int axis) {
    int at = axis < 0 ? dims.length + axis : axis;
    if (at < 0 || at >= dims.length) {
      throw new ArgumentException("shape " + this + " has no axis " + axis);
    }
    return dims[at];
  }

  /** The product of all sizes. */
  public long elements() {
    return elements;
  }

  /** The product of all sizes but the last: the rows of a matrix of last-axis vectors. */
  public long rows() {
    long product = 1;
    for (int axis = 0; axis < dims.length - 1; axis++) {
      product = times(product, dims[axis], dims);
    }
    return product;
  }

  /** Whether these are the sizes, without making a shape of them. */
  public boolean hasSizes(long... sizes) {
    return Arrays.equals(dims, sizes);
  }

  /** The same without its outermost axis. */
  public Shape withoutFirst() {
    return new Shape(Arrays.copyOfRange(dims, 1, dims.length));
  }

  public long[] toArray() {
    return dims.clone();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Shape s && Arrays.equals(dims, s.dims);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(dims);
  }

  /** As in {@code (8,256,288)}. */
  @Override
  public String toString() {
    return LongStream.of(dims).mapToObj(Long::toString).collect(Collectors.joining(",", "(", ")"));
  }
}
