package dev.lethe.nn;

import dev.lethe.ArgumentException;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * The mean of k adapters' changes of the weights as one adapter of rank k·r: A's stacked, B's side by side and divided by
 * k.
 *
 * <pre>
 * (1/k) Σᵢ s BᵢAᵢ = s [B₁/k … Bₖ/k] [A₁; …; Aₖ]
 * </pre>
 */
public final class MeanAdapter {
  private MeanAdapter() {}

  /**
   * Makes it; the caller closes it.
   *
   * @param parts at least one, all of one configuration and model
   */
  public static LoraAdapter of(List<LoraAdapter> parts) {
    LoraAdapter first = parts.getFirst();
    for (LoraAdapter part : parts) {
      if (part.model() != first.model() || !part.layout().parameters().equals(first.layout().parameters())) {
        throw new ArgumentException("a mean of adapters of different shapes");
      }
    }
    LoraAdapter mean = LoraAdapter.create(first.config().stacked(parts.size()), first.model(), 0);
    List<LoraSlot> wide = mean.layout().slots();
    for (int s = 0; s < wide.size(); s++) {
      fill(parts, first.layout().slots().get(s), wide.get(s), mean);
    }
    return mean;
  }

  private static void fill(List<LoraAdapter> parts, LoraSlot narrow, LoraSlot wide, LoraAdapter mean) {
    int k = parts.size();
    int rank = Math.toIntExact(narrow.rank());
    double[] a = new double[Math.toIntExact(wide.rank() * wide.in())];
    double[] b = new double[Math.toIntExact(wide.out() * wide.rank())];
    for (int i = 0; i < k; i++) {
      double[] partA = parts.get(i).a(narrow);
      System.arraycopy(partA, 0, a, i * partA.length, partA.length);
      double[] partB = parts.get(i).b(narrow);
      for (int row = 0; row < narrow.out(); row++) {
        for (int c = 0; c < rank; c++) {
          b[row * k * rank + i * rank + c] = partB[row * rank + c] / k;
        }
      }
    }
    Backend backend = mean.model().backend();
    Shape shapeA = Shape.of(wide.rank(), wide.in());
    Shape shapeB = Shape.of(wide.out(), wide.rank());
    backend.upload(Tensor.of(shapeA, a), mean.theta().section(wide.aOffset(), shapeA));
    backend.upload(Tensor.of(shapeB, b), mean.theta().section(wide.bOffset(), shapeB));
  }
}
