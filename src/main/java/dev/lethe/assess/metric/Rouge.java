package dev.lethe.assess.metric;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * ROUGE-L (Lin, 2004) as Google's {@code rouge_score} computes it with stemming: lower case, words of a-z and 0-9, those
 * of more than three letters stemmed by Porter's rules, then the longest common subsequence.
 *
 * @param recall share of the true text's words that are in it
 * @param precision share of the generated text's words that are in it
 */
public record Rouge(double recall, double precision) {
  private static final int LONGEST_UNSTEMMED = 3;

  /** Compares a generated text with the true one. */
  public static Rouge l(String truth, String generated) {
    List<String> target = words(truth);
    List<String> guess = words(generated);
    if (target.isEmpty() || guess.isEmpty()) {
      return new Rouge(0, 0);
    }
    int common = longestCommon(target, guess);
    return new Rouge((double) common / target.size(), (double) common / guess.size());
  }

  /** The harmonic mean of precision and recall. */
  public double f1() {
    return recall + precision == 0 ? 0 : 2 * recall * precision / (recall + precision);
  }

  static List<String> words(String text) {
    List<String> words = new ArrayList<>();
    for (String word : text.toLowerCase(Locale.ROOT).split("[^a-z0-9]+")) {
      if (!word.isEmpty()) {
        words.add(word.length() > LONGEST_UNSTEMMED ? PorterStemmer.stem(word) : word);
      }
    }
    return words;
  }

  private static int longestCommon(List<String> a, List<String> b) {
    int[] above = new int[b.size() + 1];
    for (String word : a) {
      int[] row = new int[b.size() + 1];
      for (int j = 0; j < b.size(); j++) {
        row[j + 1] = word.equals(b.get(j)) ? above[j] + 1 : Math.max(above[j + 1], row[j]);
      }
      above = row;
    }
    return above[b.size()];
  }
}
