package dev.lethe.format.gguf;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The merges of a SentencePiece BPE vocabulary, which has scores in their place: every split of a piece into two
 * pieces, the best piece first, as transformers' {@code generate_merges} orders them.
 */
final class PieceMerges {
  /** Pieces that are longer are no words. */
  private static final int LONGEST = 256;

  private PieceMerges() {}

  /** Two pieces that become one. */
  record Pair(String left, String right, double score, int leftLength, int rightLength) {}

  /**
   * All merges in order.
   *
   * @param special pieces that are never part of a merge
   */
  static List<Pair> of(List<String> pieces, List<Double> scores, Set<String> special) {
    Map<String, Integer> ids = new HashMap<>();
    for (int id = 0; id < pieces.size(); id++) {
      ids.put(pieces.get(id), id);
    }
    Comparator<Pair> byIds =
        Comparator.<Pair>comparingInt(pair -> ids.get(pair.left))
            .thenComparingInt(pair -> ids.get(pair.right));
    List<Pair> merges = new ArrayList<>();
    for (int id = 0; id < pieces.size(); id++) {
      String piece = pieces.get(id);
      if (special.contains(piece) || piece.length() > LONGEST) {
        continue;
      }
      List<Pair> splits = new ArrayList<>();
      int length = piece.codePointCount(0, piece.length());
      for (int at = 1; at < length; at++) {
        int cut = piece.offsetByCodePoints(0, at);
        String left = piece.substring(0, cut);
        String right = piece.substring(cut);
        boolean known = ids.containsKey(left) && ids.containsKey(right);
        if (known && !special.contains(left) && !special.contains(right)) {
          splits.add(new Pair(left, right, scores.get(id), at, length - at));
        }
      }
      splits.sort(byIds);
      merges.addAll(splits);
    }
    merges.sort(
        Comparator.comparingDouble(Pair::score)
            .thenComparingInt(Pair::leftLength)
            .thenComparingInt(Pair::rightLength)
            .reversed());
    return merges;
  }
}
