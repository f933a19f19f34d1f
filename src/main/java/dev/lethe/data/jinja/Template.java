package dev.lethe.data.jinja;

import dev.lethe.Text;
import dev.lethe.data.jinja.Node.Statement;
import dev.lethe.data.jinja.Values.Callable;
import dev.lethe.data.jinja.Values.Namespace;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * A chat template, rendered as transformers' Jinja environment does: sandboxed, {@code trim_blocks}, {@code
 * lstrip_blocks}, loop controls, {@code generation} blocks, {@code raise_exception}, {@code strftime_now} and its own
 * {@code tojson}. Tags, filters, tests and methods that no known chat template uses are refused by name.
 */
public final class Template {
  private static final long MAX_RANGE = 100_000;
  private static final int MAX_SOURCE = 1 << 20;

  private final List<Statement> body;
  private final boolean marksGenerations;
  private final boolean asksForTime;

  private Template(String source) {
    body = Parser.parse(source);
    marksGenerations = source.contains("endgeneration");
    asksForTime = source.contains("strftime_now");
  }

  /** Reads a template. Throws {@link JinjaException} where it cannot be rendered here. */
  public static Template of(String source) {
    if (source.length() > MAX_SOURCE) {
      throw new JinjaException(Text.format("the template has more than %,d characters", MAX_SOURCE));
    }
    return new Template(source);
  }

  /** A part of a text. */
  public record Span(int from, int to) {}

  /**
   * What a template gives.
   *
   * @param generations the parts in {@code generation} blocks, in order
   */
  public record Rendering(String text, List<Span> generations) {}

  /** Whether it says itself which parts the model generates. */
  public boolean marksGenerations() {
    return marksGenerations;
  }

  /** Whether it may write the time of rendering. */
  public boolean asksForTime() {
    return asksForTime;
  }

  /**
   * Renders the template. Throws {@link JinjaException} where that fails or takes too long.
   *
   * @param values of null, Boolean, Integer, Long, Double, String, List and Map
   * @param now what {@code strftime_now} tells
   */
  public Rendering render(Map<String, Object> values, LocalDateTime now) {
    Scope globals = new Scope(null);
    globals.set("range", (Callable) (v, n) -> range(v));
    globals.set("namespace", (Callable) (v, n) -> new Namespace(attributes(v, n)));
    globals.set("dict", (Callable) (v, n) -> attributes(v, n));
    globals.set(
        "raise_exception",
        (Callable)
            (v, n) -> {
              throw new JinjaException("it says: " + Values.text(v.isEmpty() ? "" : v.getFirst()));
            });
    globals.set("strftime_now", (Callable) (v, n) -> time(Values.string(v.getFirst()), now));
    values.forEach((name, value) -> globals.set(name, Values.of(value)));
    try {
      return new Renderer().render(body, new Scope(globals));
    } catch (StackOverflowError e) {
      throw new JinjaException("the template is nested too deeply");
    }
  }

  private static List<Object> range(List<Object> v) {
    if (v.isEmpty() || v.size() > 3) {
      throw new JinjaException("range takes one to three integers");
    }
    long from = v.size() == 1 ? 0 : Values.integer(v.get(0));
    long to = Values.integer(v.get(v.size() == 1 ? 0 : 1));
    long step = v.size() == 3 ? Values.integer(v.get(2)) : 1;
    if (step == 0 || Math.abs((double) to - from) / Math.abs(step) > MAX_RANGE) {
      throw new JinjaException(Text.format("a range has more than %,d numbers, or step 0", MAX_RANGE));
    }
    List<Object> numbers = new ArrayList<>();
    for (long i = from; step > 0 ? i < to : i > to; i += step) {
      numbers.add(i);
    }
    return numbers;
  }

  private static Map<String, Object> attributes(List<Object> values, Map<String, Object> named) {
    Map<String, Object> attributes = new LinkedHashMap<>();
    for (Object value : values) {
      if (!(value instanceof Map<?, ?> map)) {
        throw Values.wrongType("an object", value);
      }
      map.forEach((k, v) -> attributes.put(k.toString(), v));
    }
    attributes.putAll(named);
    return attributes;
  }

  private static String time(String format, LocalDateTime now) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < format.length(); i++) {
      char c = format.charAt(i);
      if (c != '%' || i + 1 == format.length()) {
        text.append(c);
        continue;
      }
      i++;
      boolean unpadded = format.charAt(i) == '-' && i + 1 < format.length();
      i += unpadded ? 1 : 0;
      text.append(timePart(format.charAt(i), unpadded, now));
    }
    return text.toString();
  }

  private static String timePart(char code, boolean unpadded, LocalDateTime now) {
    String pattern =
        switch (code) {
          case 'Y' -> "yyyy";
          case 'y' -> "yy";
          case 'm' -> unpadded ? "M" : "MM";
          case 'd' -> unpadded ? "d" : "dd";
          case 'H' -> unpadded ? "H" : "HH";
          case 'I' -> unpadded ? "h" : "hh";
          case 'M' -> unpadded ? "m" : "mm";
          case 'S' -> unpadded ? "s" : "ss";
          case 'B' -> "MMMM";
          case 'b' -> "MMM";
          case 'A' -> "EEEE";
          case 'a' -> "EEE";
          case 'p' -> "a";
          case 'j' -> unpadded ? "D" : "DDD";
          case '%' -> "'%'";
          default -> throw new JinjaException("strftime_now with %" + code + " is not supported");
        };
    return DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH).format(now);
  }
}
