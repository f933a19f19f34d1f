package dev.lethe.data.jinja;

import dev.lethe.Text;
import java.util.ArrayList;
import java.util.List;

/** Python's strings: what is white space, and places counted in code points. */
final class PyStrings {
  private PyStrings() {}

  static boolean isSpace(int c) {
    return c >= 0x09 && c <= 0x0D
        || c >= 0x1C && c <= 0x20
        || c == 0x85
        || c == 0xA0
        || c == 0x1680
        || c >= 0x2000 && c <= 0x200A
        || c == 0x2028
        || c == 0x2029
        || c == 0x202F
        || c == 0x205F
        || c == 0x3000;
  }

  static String strip(String text, String chars) {
    return stripLeft(stripRight(text, chars), chars);
  }

  /** Null stands for white space. */
  static String stripLeft(String text, String chars) {
    int from = 0;
    while (from < text.length() && among(text.codePointAt(from), chars)) {
      from += Character.charCount(text.codePointAt(from));
    }
    return text.substring(from);
  }

  static String stripRight(String text, String chars) {
    int to = text.length();
    while (to > 0 && among(text.codePointBefore(to), chars)) {
      to -= Character.charCount(text.codePointBefore(to));
    }
    return text.substring(0, to);
  }

  private static boolean among(int point, String chars) {
    return chars == null ? isSpace(point) : chars.indexOf(point) >= 0;
  }

  static int length(String text) {
    return text.codePointCount(0, text.length());
  }

  /** Each character by itself. */
  static List<Object> characters(String text) {
    List<Object> list = new ArrayList<>(text.length());
    text.codePoints().forEach(c -> list.add(Character.toString(c)));
    return list;
  }

  /** {@code str.split()} at white space; a negative limit is none. */
  static List<Object> words(String text, long limit) {
    List<Object> words = new ArrayList<>();
    String rest = stripLeft(text, null);
    while (!rest.isEmpty()) {
      if (limit >= 0 && words.size() == limit) {
        words.add(stripRight(rest, null));
        break;
      }
      int end = 0;
      while (end < rest.length() && !isSpace(rest.charAt(end))) {
        end++;
      }
      words.add(rest.substring(0, end));
      rest = stripLeft(rest.substring(end), null);
    }
    return words;
  }

  /** {@code str.split(separator)}; a negative limit is none. */
  static List<Object> split(String text, String separator, long limit) {
    if (separator.isEmpty()) {
      throw new JinjaException("a text is split at an empty separator");
    }
    List<Object> parts = new ArrayList<>();
    int from = 0;
    int at = text.indexOf(separator);
    while (at >= 0 && (limit < 0 || parts.size() < limit)) {
      parts.add(text.substring(from, at));
      from = at + separator.length();
      at = text.indexOf(separator, from);
    }
    parts.add(text.substring(from));
    return parts;
  }

  /** {@code str.rsplit(separator, limit)}. */
  static List<Object> splitRight(String text, String separator, long limit) {
    List<Object> all = split(text, separator, -1);
    int merged = limit < 0 ? 0 : Math.max(0, all.size() - 1 - (int) Math.min(limit, all.size()));
    List<Object> parts = new ArrayList<>();
    StringBuilder first = new StringBuilder((String) all.getFirst());
    for (int i = 1; i <= merged; i++) {
      first.append(separator).append(all.get(i));
    }
    parts.add(first.toString());
    parts.addAll(all.subList(merged + 1, all.size()));
    return parts;
  }

  static List<Object> lines(String text) {
    List<Object> lines = new ArrayList<>();
    int from = 0;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      boolean ends =
          c >= '\n' && c <= '\r' || c >= 0x1C && c <= 0x1E || c == 0x85 || c == 0x2028 || c == 0x2029;
      if (ends) {
        lines.add(text.substring(from, i));
        i += c == '\r' && i + 1 < text.length() && text.charAt(i + 1) == '\n' ? 1 : 0;
        from = i + 1;
      }
    }
    if (from < text.length()) {
      lines.add(text.substring(from));
    }
    return lines;
  }

  /** {@code str.title()}, and with {@code first} {@code str.capitalize()}. */
  static String capitals(String text, boolean first) {
    StringBuilder result = new StringBuilder();
    boolean begins = true;
    for (int point : text.codePoints().toArray()) {
      result.appendCodePoint(begins ? Character.toTitleCase(point) : Character.toLowerCase(point));
      begins = !first && !Character.isLetter(point);
    }
    return result.toString();
  }

  /** As Python's {@code repr} writes a string. */
  static String repr(String text) {
    char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
    StringBuilder result = new StringBuilder().append(quote);
    text.codePoints()
        .forEach(
            c -> {
              switch (c) {
                case '\n' -> result.append("\\n");
                case '\r' -> result.append("\\r");
                case '\t' -> result.append("\\t");
                case '\\' -> result.append("\\\\");
                default -> {
                  if (c == quote) {
                    result.append('\\').append(quote);
                  } else if (isPrintable(c)) {
                    result.appendCodePoint(c);
                  } else {
                    String form = c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x";
                    result.append(Text.format(form, c));
                  }
                }
              }
            });
    return result.append(quote).toString();
  }

  private static boolean isPrintable(int c) {
    return c == ' '
        || switch (Character.getType(c)) {
          case Character.CONTROL,
              Character.FORMAT,
              Character.SURROGATE,
              Character.PRIVATE_USE,
              Character.UNASSIGNED,
              Character.LINE_SEPARATOR,
              Character.PARAGRAPH_SEPARATOR,
              Character.SPACE_SEPARATOR ->
              false;
          default -> true;
        };
  }
}
