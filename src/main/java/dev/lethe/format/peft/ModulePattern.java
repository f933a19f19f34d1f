package dev.lethe.format.peft;

import dev.lethe.Text;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.Place;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * A Python regular expression of an adapter's configuration, run against module names. It comes
 * from a stranger, so the matching is bounded in steps.
 */
final class ModulePattern {
  private static final int MAX_LENGTH = 20_000;
  private static final int MAX_STEPS = 2_000_000;

  private final String source;
  private final Pattern pattern;
  private final String where;

  /**
   * @param before Java expression to put before the pattern
   * @param after Java expression to put after it
   */
  ModulePattern(String before, String source, String after, String where) {
    this.source = source;
    this.where = where;
    try {
      if (source.length() > MAX_LENGTH) {
        throw bad("the pattern is longer than " + MAX_LENGTH + " characters", null);
      }
      this.pattern = Pattern.compile(before + PythonPattern.inJava(source) + after);
    } catch (PatternSyntaxException e) {
      throw bad(e.getDescription(), e);
    } catch (StackOverflowError e) {
      throw bad("the pattern is nested too deeply", e);
    }
  }

  /** Python's {@code re.fullmatch}. */
  boolean fullMatch(String name) {
    return run(name, Matcher::matches) != null;
  }

  /** Python's {@code re.match}; null where there is no match at the start. */
  Matcher matchAtStart(String name) {
    return run(name, Matcher::lookingAt);
  }

  private interface Attempt {
    boolean on(Matcher matcher);
  }

  private Matcher run(String name, Attempt attempt) {
    Matcher matcher = pattern.matcher(new CountedText(name));
    try {
      return attempt.on(matcher) ? matcher : null;
    } catch (StackOverflowError e) {
      throw bad("matching " + Text.quote(name) + " nests too deeply", e);
    }
  }

  private FormatException bad(String reason, Throwable cause) {
    return new Place(where).refuse(
        Kind.BAD_PATTERN, "pattern " + Text.quote(source) + " cannot be used", "a regular expression", reason, cause);
  }

  /** A text that refuses to be read too often, which bounds backtracking. */
  private final class CountedText implements CharSequence {
    private final String text;
    private int steps;

    private CountedText(String text) {
      this.text = text;
    }

    @Override
    public char charAt(int index) {
      if (++steps > MAX_STEPS) {
        throw bad("matching " + Text.quote(text) + " takes more than " + MAX_STEPS + " steps", null);
      }
      return text.charAt(index);
    }

    @Override
    public int length() {
      return text.length();
    }

    @Override
    public CharSequence subSequence(int start, int end) {
      return text.subSequence(start, end);
    }

    @Override
    public String toString() {
      return text;
    }
  }
}
