package dev.lethe.evaluate;

import dev.lethe.data.Sample;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.List;

/**
 * How well a model has memorized a row's response.
 *
 * @param id the row's name
 * @param exact the part of the response's tokens that come first in the model's ranking, given the
 *     true tokens before each (exact memorization)
 * @param extraction 1 − k/|y| with the fewest first tokens k of the response y after which greedy
 *     generation gives the rest exactly (extraction strength, arXiv 2406.09179); given y's first k
 *     tokens greedy generation follows y exactly where every later token ranks first, so one pass
 *     tells
 */
public record Memorization(String id, double exact, double extraction) {

  /**
   * Looks at one row. A token at its end that ends texts is left out, unless it is all: it says nothing of the row, and a
   * base model that never saw it cannot learn to say it through its linear layers.
   *
   * @param p the model's predictions (M,V) at the sample's M supervised positions
   * @param ends tokens that end texts
   */
  public static Memorization of(Sample sample, Tensor p, List<Integer> ends) {
    int[] targets = sample.targets();
    if (targets.length > 1 && ends.contains(targets[targets.length - 1])) {
      targets = Arrays.copyOf(targets, targets.length - 1);
    }
    int hits = 0;
    int needed = 0;
    for (int t = 0; t < targets.length; t++) {
      if (argmax(p.row(t)) == targets[t]) {
        hits++;
      } else {
        needed = t + 1;
      }
    }
    return new Memorization(
        sample.id(), (double) hits / targets.length, 1 - (double) needed / targets.length);
  }

  private static int argmax(Tensor row) {
    int best = 0;
    for (int i = 1; i < row.elements(); i++) {
      if (row.get(i) > row.get(best)) {
        best = i;
      }
    }
    return best;
  }
}
