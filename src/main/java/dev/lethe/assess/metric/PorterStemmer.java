package dev.lethe.assess.metric;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;

/**
 * Porter's suffix stripping (Program 14, 1980) with the departures that NLTK makes by default, which ROUGE scores of the
 * unlearning benchmarks rest on. Words are a-z and 0-9 in lower case.
 */
final class PorterStemmer {
  private static final Map<String, String> IRREGULAR =
      Map.ofEntries(
          Map.entry("sky", "sky"),
          Map.entry("skies", "sky"),
          Map.entry("dying", "die"),
          Map.entry("lying", "lie"),
          Map.entry("tying", "tie"),
          Map.entry("news", "news"),
          Map.entry("innings", "inning"),
          Map.entry("inning", "inning"),
          Map.entry("outings", "outing"),
          Map.entry("outing", "outing"),
          Map.entry("cannings", "canning"),
          Map.entry("canning", "canning"),
          Map.entry("howe", "howe"),
          Map.entry("proceed", "proceed"),
          Map.entry("exceed", "exceed"),
          Map.entry("succeed", "succeed"));

  private static final List<Rule> STEP_1A =
      rules("sses ss", "ies i", "ss ss", "s -");
  private static final List<Rule> STEP_2 =
      rules(
          "ational ate", "tional tion", "enci ence", "anci ance", "izer ize", "bli ble", "alli al", "entli ent", "eli e",
          "ousli ous", "ization ize", "ation ate", "ator ate", "alism al", "iveness ive", "fulness ful", "ousness ous",
          "aliti al", "iviti ive", "biliti ble", "fulli ful");
  private static final List<Rule> STEP_3 =
      rules("icate ic", "ative -", "alize al", "iciti ic", "ical ic", "ful -", "ness -");
  private static final List<Rule> STEP_4 =
      rules(
          "al -", "ance -", "ence -", "er -", "ic -", "able -", "ible -", "ant -", "ement -", "ment -", "ent -", "ion -",
          "ou -", "ism -", "ate -", "iti -", "ous -", "ive -", "ize -");

  private PorterStemmer() {}

  /** The stem of a word. */
  static String stem(String word) {
    String irregular = IRREGULAR.get(word);
    if (irregular != null) {
      return irregular;
    }
    if (word.length() <= 2) {
      return word;
    }
    String stem = step1c(step1b(step1a(word)));
    return step5b(step5a(step4(apply(STEP_3, step2(stem), m -> m > 0))));
  }

  private static String step1a(String word) {
    return word.endsWith("ies") && word.length() == 4 ? cut(word, 1) : apply(STEP_1A, word, m -> true);
  }

  private static String step1b(String word) {
    if (word.endsWith("ied")) {
      return cut(word, word.length() == 4 ? 1 : 2);
    }
    if (word.endsWith("eed")) {
      return measure(cut(word, 3)) > 0 ? cut(word, 1) : word;
    }
    int ending = word.endsWith("ed") ? 2 : word.endsWith("ing") ? 3 : 0;
    String stem = cut(word, ending);
    if (ending == 0 || !containsVowel(stem)) {
      return word;
    }
    if (stem.endsWith("at") || stem.endsWith("bl") || stem.endsWith("iz")) {
      return stem + "e";
    }
    if (endsInDoubleConsonant(stem)) {
      return "lsz".indexOf(last(stem)) >= 0 ? stem : cut(stem, 1);
    }
    return measure(stem) == 1 && endsInShortSyllable(stem) ? stem + "e" : stem;
  }

  private static String step1c(String word) {
    String stem = cut(word, 1);
    boolean turns = word.endsWith("y") && stem.length() > 1 && isConsonant(stem, stem.length() - 1);
    return turns ? stem + "i" : word;
  }

  private static String step2(String word) {
    if (word.endsWith("alli") && measure(cut(word, 4)) > 0) {
      return step2(cut(word, 2));
    }
    if (word.endsWith("logi")) {
      return measure(cut(word, 3)) > 0 ? cut(word, 1) : word;
    }
    return apply(STEP_2, word, m -> m > 0);
  }

  private static String step4(String word) {
    if (word.endsWith("ion")) {
      String stem = cut(word, 3);
      return measure(stem) > 1 && "st".indexOf(last(stem)) >= 0 ? stem : word;
    }
    return apply(STEP_4, word, m -> m > 1);
  }

  private static String step5a(String word) {
    if (!word.endsWith("e")) {
      return word;
    }
    String stem = cut(word, 1);
    int m = measure(stem);
    return m > 1 || m == 1 && !endsInShortSyllable(stem) ? stem : word;
  }

  private static String step5b(String word) {
    return word.endsWith("ll") && measure(cut(word, 1)) > 1 ? cut(word, 1) : word;
  }

  /** The first rule whose suffix the word has decides, whether or not its stem is long enough. */
  private static String apply(List<Rule> rules, String word, IntPredicate measure) {
    for (Rule rule : rules) {
      if (word.endsWith(rule.suffix)) {
        String stem = cut(word, rule.suffix.length());
        return measure.test(measure(stem)) ? stem + rule.replacement : word;
      }
    }
    return word;
  }

  /** How often a consonant follows a vowel. */
  private static int measure(String stem) {
    int m = 0;
    for (int i = 1; i < stem.length(); i++) {
      m += isConsonant(stem, i) && !isConsonant(stem, i - 1) ? 1 : 0;
    }
    return m;
  }

  private static boolean containsVowel(String stem) {
    for (int i = 0; i < stem.length(); i++) {
      if (!isConsonant(stem, i)) {
        return true;
      }
    }
    return false;
  }

  /** A y is a consonant at the begin of a word and after a vowel; so in a run of them every other one is. */
  private static boolean isConsonant(String word, int at) {
    if (word.charAt(at) != 'y') {
      return "aeiou".indexOf(word.charAt(at)) < 0;
    }
    int first = at;
    while (first > 0 && word.charAt(first - 1) == 'y') {
      first--;
    }
    boolean firstIsOne = first == 0 || !isConsonant(word, first - 1);
    return firstIsOne == ((at - first) % 2 == 0);
  }

  private static boolean endsInDoubleConsonant(String word) {
    int n = word.length();
    return n >= 2 && last(word) == word.charAt(n - 2) && isConsonant(word, n - 1);
  }

  /** Consonant, vowel, consonant other than w, x and y; NLTK counts a whole word of vowel and consonant too. */
  private static boolean endsInShortSyllable(String word) {
    int n = word.length();
    if (n < 2 || !isConsonant(word, n - 1) || isConsonant(word, n - 2)) {
      return false;
    }
    return n == 2 || isConsonant(word, n - 3) && "wxy".indexOf(last(word)) < 0;
  }

  private static char last(String word) {
    return word.charAt(word.length() - 1);
  }

  private static String cut(String word, int letters) {
    return word.substring(0, word.length() - letters);
  }

  private static List<Rule> rules(String... texts) {
    return Arrays.stream(texts)
        .map(text -> text.split(" "))
        .map(parts -> new Rule(parts[0], parts[1].equals("-") ? "" : parts[1]))
        .toList();
  }

  private record Rule(String suffix, String replacement) {}
}
