package dev.lethe.backend.reference;

import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;

/** Tensors out of pieces of flat vectors, and back. */
final class Flat {
  private Flat() {}

  /** A copy of the elements from {@code from} on. */
  static Tensor piece(double[] x, int from, long... dims) {
    Shape shape = Shape.of(dims);
    int count = Math.toIntExact(shape.elements());
    return Tensor.of(shape, Arrays.copyOfRange(x, from, from + count));
  }

  /** (2,dims): a decoy, then the piece. */
  static Tensor pair(double[] x, int from, long... dims) {
    Tensor piece = piece(x, from, dims);
    long[] both = new long[dims.length + 1];
    both[0] = 2;
    System.arraycopy(dims, 0, both, 1, dims.length);
    Tensor pair = zeros(both);
    for (long i = 0; i < piece.elements(); i++) {
      pair.set(i, Math.cos(3 * i + from));
      pair.set(piece.elements() + i, piece.get(i));
    }
    return pair;
  }

  /** As {@link #pair}, or null where the piece is zero throughout. */
  static Tensor pairOrNull(double[] x, int from, long... dims) {
    int end = from + Math.toIntExact(Shape.of(dims).elements());
    boolean zero = Arrays.stream(x, from, end).allMatch(v -> v == 0);
    return zero ? null : pair(x, from, dims);
  }

  static Tensor zeros(long... dims) {
    Shape shape = Shape.of(dims);
    return Tensor.of(shape, new double[Math.toIntExact(shape.elements())]);
  }

  /** Something for a kernel to overwrite. */
  static Tensor output(long... dims) {
    Tensor output = zeros(dims);
    for (long i = 0; i < output.elements(); i++) {
      output.set(i, Double.NaN);
    }
    return output;
  }

  /** All elements of all tensors. */
  static double[] join(Tensor... tensors) {
    return Stream.of(tensors).flatMapToDouble(t -> DoubleStream.of(t.toDoubles())).toArray();
  }

  /** Entry 1 of all these (2,…) tensors: what became of the pieces behind the decoys. */
  static double[] second(Tensor... pairs) {
    return join(Stream.of(pairs).map(t -> t.row(1)).toArray(Tensor[]::new));
  }
}
