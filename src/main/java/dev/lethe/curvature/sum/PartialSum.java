package dev.lethe.curvature.sum;

import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * The sum of some blocks' terms in host memory.
 *
 * @param node which blocks
 * @param sum of their terms, in the vector format of the backend that made it
 */
public record PartialSum(SumNode node, Tensor sum) {
  /**
   * The sum of all parts, to the byte that a device gives that adds all blocks itself.
   *
   * @param parts in the order of their blocks, which are all from 0; at least one
   */
  public static Tensor total(List<PartialSum> parts) {
    SumTree<Tensor> tree = new SumTree<>(PartialSum::sum);
    parts.forEach(part -> tree.push(part.node, part.sum));
    return tree.takeRoot();
  }

  /** left + right, with one rounding an element as on every device: a sum of two floats is exact in a double. */
  public static Tensor sum(Tensor left, Tensor right) {
    Tensor sum = HostTensors.zeros(left.dtype(), left.shape());
    for (long i = 0; i < left.elements(); i++) {
      sum.set(i, left.get(i) + right.get(i));
    }
    return sum;
  }
}
