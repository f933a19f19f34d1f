package dev.lethe.backend.reference;

import dev.lethe.tensor.Tensor;
import java.util.function.BiConsumer;

/**
 * An operation that is one linear map x (n,d) ↦ y (m,e), so that two kernels are its four modes.
 *
 * @param map writes the image of its first argument to its second, for rank 2 and rank 3
 * @param transposedMap the same for the transposed map
 */
record LinearRules(
    String name,
    long n,
    long d,
    long m,
    long e,
    BiConsumer<Tensor, Tensor> map,
    BiConsumer<Tensor, Tensor> transposedMap)
    implements BlockRules {
  @Override
  public int[] parts() {
    return new int[] {(int) (n * d)};
  }

  @Override
  public double[] forward(double[] x) {
    Tensor y = Flat.output(m, e);
    map.accept(Flat.piece(x, 0, n, d), y);
    return Flat.join(y);
  }

  @Override
  public double[] tangent(double[] x, double[] dx) {
    Tensor dy = Flat.output(2, m, e);
    map.accept(Flat.pair(dx, 0, n, d), dy);
    return Flat.second(dy);
  }

  @Override
  public double[] backward(double[] x, double[] gy) {
    Tensor gx = Flat.output(2, n, d);
    transposedMap.accept(Flat.pair(gy, 0, m, e), gx);
    return Flat.second(gx);
  }

  @Override
  public double[] backwardTangent(double[] x, double[] gy, double[] dx, double[] dgy) {
    return backward(x, dgy);
  }
}
