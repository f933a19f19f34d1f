package dev.lethe;

import java.util.Locale;

/**
 * Text that is the same on every machine: numbers look the same under every locale, and what a stranger wrote can be
 * shown on a terminal.
 */
public final class Text {
  /** Characters of a stranger's text that a message shows. */
  private static final int QUOTED = 80;

  private Text() {}

  /** As {@link String#format(String, Object...)}, whatever the machine's locale is. */
  public static String format(String format, Object... arguments) {
    return String.format(Locale.ROOT, format, arguments);
  }

  /** A stranger's text for a message: printable, cut off where it is long, between apostrophes. */
  public static String quote(String foreign) {
    return "'" + shorten(foreign, QUOTED) + "'";
  }

  /** The first characters of a text, printable, with an ellipsis where it is longer. */
  public static String shorten(String foreign, int most) {
    if (foreign.length() <= most) {
      return printable(foreign);
    }
    int end = Character.isHighSurrogate(foreign.charAt(most - 1)) ? most - 1 : most;
    return printable(foreign.substring(0, end)) + "…";
  }

  /**
   * The text with escapes as in {@code \}{@code u001B} for whatever would act on a terminal instead of appearing:
   * control characters, line separators, halves of surrogate pairs and marks that turn the direction of writing.
   */
  public static String printable(String foreign) {
    if (foreign.codePoints().noneMatch(Text::acts)) {
      return foreign;
    }
    StringBuilder shown = new StringBuilder(foreign.length() + 16);
    foreign
        .codePoints()
        .forEach(
            c -> {
              if (acts(c)) {
                shown.append(format("\\u%04X", c));
              } else {
                shown.appendCodePoint(c);
              }
            });
    return shown.toString();
  }

  private static boolean acts(int codePoint) {
    boolean turns =
        codePoint >= 0x202A && codePoint <= 0x202E
            || codePoint >= 0x2066 && codePoint <= 0x2069
            || codePoint == 0x200E
            || codePoint == 0x200F;
    boolean separates = codePoint == 0x2028 || codePoint == 0x2029;
    boolean half = codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE;
    return Character.isISOControl(codePoint) || turns || separates || half;
  }
}
