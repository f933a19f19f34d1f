package dev.lethe.curvature.sum;

import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * The sum of some blocks' terms in host memory.
 *
 * @param node which blocks
 * @param sum of their terms, in the vector format of the backend that made it
 */
public record PartialSum(SumNode node, Tensor sum) {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final int PIECE = 4096;

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

  /** left + right, with one rounding an element as on every device. */
  public static Tensor sum(Tensor left, Tensor right) {
    Tensor sum = HostTensors.zeros(left.dtype(), left.shape());
    if (left.dtype() == DType.F32) {
      add(left.segment(), right.segment(), sum.segment());
    } else {
      for (long i = 0; i < left.elements(); i++) {
        sum.set(i, left.get(i) + right.get(i));
      }
    }
    return sum;
  }

  private static void add(MemorySegment left, MemorySegment right, MemorySegment sum) {
    float[] a = new float[PIECE];
    float[] b = new float[PIECE];
    for (long at = 0; at < sum.byteSize(); at += (long) PIECE * Float.BYTES) {
      int count = Math.toIntExact(Math.min(PIECE, (sum.byteSize() - at) / Float.BYTES));
      MemorySegment.copy(left, FLOAT, at, a, 0, count);
      MemorySegment.copy(right, FLOAT, at, b, 0, count);
      for (int i = 0; i < count; i++) {
        a[i] += b[i];
      }
      MemorySegment.copy(a, 0, sum, FLOAT, at, count);
    }
  }
}
