package dev.lethe.unlearn.request;

import dev.lethe.data.Sample;
import java.util.Arrays;

/**
 * What happens to one training sample.
 *
 * @param original as the adapter was trained on it
 * @param replacement as it should have been; null for a removal
 */
public record Change(Sample original, Sample replacement) {

  /** The kinds of change; the first three are the tasks of arXiv 2412.00383, §2. */
  public enum Kind {
    /** The sample goes (instance removal). */
    REMOVED,
    /** Another query with the same response (query modification). */
    QUERY_MODIFIED,
    /** Another response to the same query (response correction). */
    RESPONSE_CORRECTED,
    /** Both are new. */
    REWRITTEN,
    /** The replacement says the same as the original. */
    UNCHANGED
  }

  /** The kind, told from the tokens: the query is what is not supervised. */
  public Kind kind() {
    if (replacement == null) {
      return Kind.REMOVED;
    }
    boolean sameQuery = Arrays.equals(tokens(original, false), tokens(replacement, false));
    boolean sameResponse = Arrays.equals(tokens(original, true), tokens(replacement, true));
    if (sameQuery) {
      return sameResponse ? Kind.UNCHANGED : Kind.RESPONSE_CORRECTED;
    }
    return sameResponse ? Kind.QUERY_MODIFIED : Kind.REWRITTEN;
  }

  private static int[] tokens(Sample sample, boolean supervised) {
    int[] ids = sample.inputIds();
    int[] labels = sample.labels();
    int[] chosen = new int[ids.length];
    int count = 0;
    for (int t = 0; t < ids.length; t++) {
      if ((labels[t] != Sample.IGNORED) == supervised) {
        chosen[count++] = supervised ? labels[t] : ids[t];
      }
    }
    return Arrays.copyOf(chosen, count);
  }
}
