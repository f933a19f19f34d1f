package dev.lethe.format.huggingface;

import dev.lethe.format.JsonFields;
import java.util.List;
import java.util.stream.Collectors;

/** Token ids in configurations, where −1 and null stand for none. */
final class TokenIds {
  private TokenIds() {}

  /** One id; −1: none. */
  static int one(JsonFields f, String field, int fallback) {
    int absent = f.node().has(field) ? -1 : fallback;
    return (int) f.integerOr(field, absent, -1, HfConfig.MAX_VOCABULARY);
  }

  /** An id or a list of them, without −1 and without repetitions. */
  static List<Integer> oneOrMore(JsonFields f, String field, int fallback) {
    List<Integer> ids =
        f.node().has(field)
            ? f.oneOrMoreIntegers(field, -1, HfConfig.MAX_VOCABULARY)
            : List.of(fallback);
    return ids.stream().filter(id -> id >= 0).distinct().collect(Collectors.toUnmodifiableList());
  }
}
