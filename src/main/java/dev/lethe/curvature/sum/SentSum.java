package dev.lethe.curvature.sum;

import dev.lethe.tensor.TensorBytes;
import java.io.Serializable;

/**
 * A {@link PartialSum} on its way between processes.
 *
 * @param level of the node
 * @param index of the node
 * @param sum of its blocks
 */
public record SentSum(int level, int index, TensorBytes sum) implements Serializable {
  public static SentSum of(PartialSum part) {
    return new SentSum(part.node().level(), part.node().index(), TensorBytes.of(part.sum()));
  }

  public PartialSum part() {
    return new PartialSum(new SumNode(level, index), sum.tensor());
  }
}
