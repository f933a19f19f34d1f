package dev.lethe.bench;

import dev.lethe.backend.Backend;
import dev.lethe.data.Sample;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.IntUnaryOperator;

/** Rows and vectors of random numbers, for what measures or checks kernels and not models. */
public final class RandomData {
  private RandomData() {}

  /**
   * Rows of random tokens, each supervised on all of them.
   *
   * @param tokens of row i
   */
  public static List<Sample> rows(int count, IntUnaryOperator tokens, int vocabulary, long seed) {
    Random random = new Random(seed);
    List<Sample> rows = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int[] ids = random.ints(tokens.applyAsInt(i), 0, vocabulary).toArray();
      rows.add(new Sample(Integer.toString(i), ids, ids, "random"));
    }
    return rows;
  }

  /** Fills a tensor of a backend with normal deviates of this deviation. */
  public static void fill(Backend backend, Tensor target, double deviation, long seed) {
    Random random = new Random(seed);
    double[] values = new double[Math.toIntExact(target.elements())];
    Arrays.setAll(values, i -> deviation * random.nextGaussian());
    backend.upload(Tensor.of(target.shape(), values), target);
  }
}
