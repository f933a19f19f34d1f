package dev.lethe.format.peft;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.PatternSyntaxException;

/**
 * Rewrites a regular expression of Python for Java's engine: named groups, {@code \Z}, comments and
 * {@code {,n}}. What the two engines read differently is refused, so that none matches other modules than
 * Python would.
 */
final class PythonPattern {
  /** Letters that mean the same after a backslash in both. */
  private static final String SAME_ESCAPES = "AbBdDsSwWafnrtvxu";

  private final String source;
  private final StringBuilder java = new StringBuilder();
  private final List<String> groups = new ArrayList<>();
  private int at;

  private PythonPattern(String source) {
    this.source = source;
  }

  /** The same expression for Java. */
  static String inJava(String python) {
    PythonPattern pattern = new PythonPattern(python);
    while (pattern.at < python.length()) {
      pattern.next();
    }
    return pattern.java.toString();
  }

  private void next() {
    char c = source.charAt(at);
    if (c == '\\') {
      escape(false);
    } else if (c == '[') {
      characterClass();
    } else if (source.startsWith("(?", at)) {
      extension();
    } else if (source.startsWith("{,", at) && source.substring(at).matches("(?s)\\{,\\d+}.*")) {
      java.append("{0,");
      at += 2;
    } else {
      java.append(c);
      at++;
    }
  }

  private void escape(boolean inClass) {
    if (at + 1 == source.length()) {
      throw differs("a backslash at the end");
    }
    char c = source.charAt(at + 1);
    if (c == 'Z' && !inClass) {
      java.append("\\z");
    } else if (c == 'v') {
      java.append("\\x0B");
    } else if (Character.isLetter(c) && SAME_ESCAPES.indexOf(c) < 0) {
      throw differs("\\" + c + " is not the same in Python and Java");
    } else {
      java.append('\\').append(c);
    }
    at += 2;
  }

  /** Brackets and && within a class are plain characters in Python. */
  private void characterClass() {
    java.append('[');
    at++;
    if (at < source.length() && source.charAt(at) == '^') {
      java.append('^');
      at++;
    }
    for (boolean first = true; ; first = false) {
      if (at >= source.length()) {
        throw differs("a character class that does not end");
      }
      char c = source.charAt(at);
      if (c == ']' && !first) {
        java.append(']');
        at++;
        return;
      }
      if (c == '\\') {
        escape(true);
      } else {
        java.append("[]&".indexOf(c) >= 0 ? "\\" + c : String.valueOf(c));
        at++;
      }
    }
  }

  private void extension() {
    String rest = source.substring(at);
    if (rest.startsWith("(?P<")) {
      groups.add(until(4, '>'));
      java.append("(?<group").append(groups.size()).append('>');
    } else if (rest.startsWith("(?P=")) {
      int group = groups.indexOf(until(4, ')')) + 1;
      if (group == 0) {
        throw differs("a reference to a group that is not there");
      }
      java.append("\\k<group").append(group).append('>');
    } else if (rest.startsWith("(?#")) {
      until(3, ')');
    } else if (rest.matches("(?s)\\(\\?([:=!>]|<[=!]|[ims]+:).*")
        || (at == 0 && rest.matches("(?s)\\(\\?[ims]+\\).*"))) {
      java.append("(?");
      at += 2;
    } else {
      throw differs(rest.substring(0, Math.min(4, rest.length())) + " is not in both Python and Java");
    }
  }

  /** The text from an offset to an end mark, which are passed. */
  private String until(int offset, char end) {
    int stop = source.indexOf(end, at + offset);
    if (stop < 0) {
      throw differs("a group that does not end");
    }
    String text = source.substring(at + offset, stop);
    at = stop + 1;
    return text;
  }

  private PatternSyntaxException differs(String why) {
    return new PatternSyntaxException(why, source, at);
  }
}
