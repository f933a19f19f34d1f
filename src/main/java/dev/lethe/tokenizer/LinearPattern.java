package dev.lethe.tokenizer;

import dev.lethe.Text;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Which regular expressions a tokenizer may have: those of published tokenizers, and those that need no backtracking.
 * The tokenizers library's engine backtracks, so that {@code (a+)+$} never ends on sixty letters.
 *
 * <p>Proved are alternatives of which each is a row of single characters and classes, with at most a few that may be
 * absent, and at most one that repeats, the last. Where such an alternative fails it has read as many characters as it
 * is long, times a constant.
 */
final class LinearPattern {
  private static final int MAX_LENGTH = 4000;
  private static final int MAX_COUNT = 100;
  private static final int MAX_OPTIONAL = 3;

  private static final String LETTERS = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
  private static final String SMALL = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
  private static final String ENDINGS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
  private static final String NO_LETTER = "[^\\r\\n\\p{L}\\p{N}]?";
  private static final String SPACES = "|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  private static final String SIGNS = "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*";
  private static final String CASED =
      NO_LETTER + LETTERS + "*" + SMALL + "+%1$s|" + NO_LETTER + LETTERS + "+" + SMALL
          + "*%1$s|\\p{N}%2$s| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*" + SPACES;

  /** Of GPT-2; GPT-4 and Llama 3; Qwen; o200k and Mistral's Tekken; DeepSeek V3; BLOOM; SeamlessM4T. */
  private static final Set<String> PUBLISHED =
      Set.of(
          "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
          "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
          ENDINGS + "|" + NO_LETTER + "\\p{L}+|\\p{N}{1,3}" + SIGNS + SPACES,
          ENDINGS + "|" + NO_LETTER + "\\p{L}+|\\p{N}" + SIGNS + SPACES,
          "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*"
              + "|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
          Text.format(CASED, ENDINGS + "?", "{1,3}"),
          Text.format(CASED, ENDINGS + "?", ""),
          Text.format(CASED, "", "{1,3}"),
          Text.format(CASED, "", ""),
          "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
              + "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
          " ?[^(\\s|[.,!?…。，、।۔،])]+",
          "^▁+$",
          " +▁");

  private static final String ATOM =
      "(?:\\\\[pP]\\{\\^?[A-Za-z_]{1,40}\\}|\\\\[sSdDwWnrtfv]|\\\\[^\\p{Alnum}]"
          + "|\\[\\^?(?:[^\\[\\]\\\\&]|\\\\[pP]\\{\\^?[A-Za-z_]{1,40}\\}|\\\\[sSdDwWnrtfv]|\\\\[^\\p{Alnum}])++\\]"
          + "|[^\\\\\\[\\](){}?*+.^$|])";
  private static final Pattern ATOMS = Pattern.compile(ATOM, Pattern.DOTALL);
  private static final Pattern REPEAT = Pattern.compile("\\+|\\{(\\d{1,3})(,(\\d{1,3})?)?\\}");

  private LinearPattern() {}

  /** Whether a pattern is published or proved. */
  static boolean accepts(String pattern) {
    return PUBLISHED.contains(pattern) || proved(pattern);
  }

  private static boolean proved(String pattern) {
    if (pattern.isEmpty() || pattern.length() > MAX_LENGTH) {
      return false;
    }
    var atoms = ATOMS.matcher(pattern);
    var repeats = REPEAT.matcher(pattern);
    int at = 0;
    int optional = 0;
    boolean needed = false;
    boolean ended = false;
    while (at < pattern.length()) {
      if (pattern.charAt(at) == '|') {
        if (!needed) {
          return false;
        }
        optional = 0;
        needed = false;
        ended = false;
        at++;
        continue;
      }
      if (ended || !atoms.region(at, pattern.length()).lookingAt()) {
        return false;
      }
      at = atoms.end();
      if (at < pattern.length() && pattern.charAt(at) == '?') {
        optional++;
        at++;
      } else if (repeats.region(at, pattern.length()).lookingAt()) {
        if (!bounded(repeats.group(1), repeats.group(3))) {
          return false;
        }
        at = repeats.end();
        needed = true;
        ended = true;
      } else {
        needed = true;
      }
      if (optional > MAX_OPTIONAL) {
        return false;
      }
    }
    return needed;
  }

  private static boolean bounded(String least, String most) {
    int from = least == null ? 1 : Integer.parseInt(least);
    int to = most == null ? from : Integer.parseInt(most);
    return from >= 1 && from <= to && to <= MAX_COUNT;
  }
}
