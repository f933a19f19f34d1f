package dev.lethe.tokenizer;

/**
 * The tokens of a text and where in it they stand, in {@code char}s. Several tokens that make one character all have
 * its place.
 *
 * @param ids (T)
 * @param starts (T) the first character of each
 * @param ends (T) one after the last
 */
public record TokenSpans(int[] ids, int[] starts, int[] ends) {
  /** The first token that stands at or after a place in the text; −1 where a token reaches over that place. */
  public int edge(int place) {
    int first = ids.length;
    for (int t = ids.length - 1; t >= 0; t--) {
      if (starts[t] >= place) {
        first = t;
      } else if (ends[t] > place) {
        return -1;
      }
    }
    for (int t = first; t < ids.length; t++) {
      if (starts[t] < place) {
        return -1;
      }
    }
    return first;
  }
}
