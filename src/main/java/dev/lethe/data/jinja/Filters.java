package dev.lethe.data.jinja;

import dev.lethe.data.jinja.Values.Undefined;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** What stands after a bar. */
final class Filters {
  private static final int MOST_DIGITS = 300;

  private final Interpreter interpreter;

  Filters(Interpreter interpreter) {
    this.interpreter = interpreter;
  }

  Object apply(String name, Object value, Arguments a) {
    return switch (name) {
      case "trim" -> PyStrings.strip(Values.text(value), trimmed(a.only(1, "chars")));
      case "length", "count" -> Values.length(value);
      case "upper" -> Values.text(value).toUpperCase(Locale.ROOT);
      case "lower" -> Values.text(value).toLowerCase(Locale.ROOT);
      case "title" -> title(Values.text(value));
      case "capitalize" -> PyStrings.capitals(Values.text(value), true);
      case "replace" -> Methods.replace(Values.text(value), a.only(3, "old", "new", "count"));
      case "string" -> Values.text(value);
      case "safe" -> value;
      case "int" -> integer(value, a.only(1, "default"));
      case "float" -> decimal(value, a.only(1, "default"));
      case "abs" -> value instanceof Long n ? (Object) Math.abs(n) : (Object) Math.abs(Values.number(value));
      case "default", "d" -> orDefault(value, a.only(2, "default_value", "boolean"));
      case "tojson" -> Json.of(value, a);
      case "list" -> Values.items(value);
      case "items" -> value instanceof Undefined ? List.of() : Methods.pairs(map(value));
      case "first" -> end(Values.items(value), true);
      case "last" -> end(Values.items(value), false);
      case "reverse" -> reversed(value);
      case "sort" -> sorted(Values.items(value), a.only(1, "reverse"));
      case "unique" -> unique(Values.items(value));
      case "round" -> rounded(value, a.only(2, "precision", "method"));
      case "max" -> extreme(Values.items(value), a.only(2, "case_sensitive", "attribute"), 1);
      case "min" -> extreme(Values.items(value), a.only(2, "case_sensitive", "attribute"), -1);
      case "sum" -> sum(Values.items(value), a.only(0));
      case "join" -> join(value, a.only(2, "d", "attribute"));
      case "dictsort" -> dictSorted(map(value), a.only(0));
      case "indent" -> indented(Values.text(value), a.only(3, "width", "first", "blank"));
      case "map" -> mapped(value, a);
      case "select" -> kept(value, item -> test(item, a, 0));
      case "reject" -> kept(value, item -> !test(item, a, 0));
      case "selectattr" -> kept(value, item -> test(attribute(item, a.text(0, "attribute")), a, 1));
      case "rejectattr" -> kept(value, item -> !test(attribute(item, a.text(0, "attribute")), a, 1));
      default -> throw new JinjaException("filter '" + name + "' is not supported");
    };
  }

  /** Every word's first letter large and the others small; unlike the method, words end at spaces and brackets only. */
  private static String title(String text) {
    StringBuilder result = new StringBuilder();
    boolean begins = true;
    for (int point : text.codePoints().toArray()) {
      String letter = Character.toString(point);
      result.append(begins ? letter.toUpperCase(Locale.ROOT) : letter.toLowerCase(Locale.ROOT));
      begins = PyStrings.isSpace(point) || "-({[<".indexOf(point) >= 0;
    }
    return result.toString();
  }

  private static String trimmed(Arguments a) {
    Object chars = a.get(0, "chars", null);
    return chars == null ? null : Values.string(chars);
  }

  private static Map<?, ?> map(Object value) {
    if (value instanceof Map<?, ?> map) {
      return map;
    }
    throw Values.wrongType("an object", value);
  }

  private static Object orDefault(Object value, Arguments a) {
    boolean falseToo = Values.truth(a.get(1, "boolean", false));
    boolean absent = value instanceof Undefined || falseToo && !Values.truth(value);
    return absent ? a.get(0, "default_value", "") : value;
  }

  private static Object integer(Object value, Arguments a) {
    try {
      return switch (value) {
        case Long n -> n;
        case Boolean b -> b ? 1L : 0L;
        case Double d -> (long) (double) d;
        case String s -> Long.parseLong(PyStrings.strip(s, null).replace("_", ""));
        case null, default -> a.get(0, "default", 0L);
      };
    } catch (NumberFormatException e) {
      return a.get(0, "default", 0L);
    }
  }

  private static Object decimal(Object value, Arguments a) {
    try {
      return value instanceof String s ? Double.parseDouble(PyStrings.strip(s, null)) : Values.number(value);
    } catch (NumberFormatException | JinjaException e) {
      return a.get(0, "default", 0.0);
    }
  }

  private static Object end(List<Object> items, boolean first) {
    if (items.isEmpty()) {
      return new Undefined(first ? "first" : "last");
    }
    return first ? items.getFirst() : items.getLast();
  }

  private static Object reversed(Object value) {
    if (value instanceof String s) {
      return new StringBuilder(s).reverse().toString();
    }
    List<Object> items = Values.items(value);
    Collections.reverse(items);
    return items;
  }

  private static List<Object> sorted(List<Object> items, Arguments a) {
    Comparator<Object> order =
        (x, y) ->
            x instanceof String s && y instanceof String t
                ? Values.compare(s.toLowerCase(Locale.ROOT), t.toLowerCase(Locale.ROOT))
                : Values.compare(x, y);
    items.sort(Values.truth(a.get(0, "reverse", false)) ? order.reversed() : order);
    return items;
  }

  private static List<Object> unique(List<Object> items) {
    List<Object> result = new ArrayList<>();
    for (Object item : items) {
      boolean known =
          result.stream()
              .anyMatch(
                  other ->
                      item instanceof String s && other instanceof String t
                          ? s.toLowerCase(Locale.ROOT).equals(t.toLowerCase(Locale.ROOT))
                          : Values.equal(item, other));
      if (!known) {
        result.add(item);
      }
    }
    return result;
  }

  private static Object rounded(Object value, Arguments a) {
    int precision = Math.clamp(Values.integer(a.get(0, "precision", 0L)), -MOST_DIGITS, MOST_DIGITS);
    double number = Values.number(value);
    double power = Math.pow(10, precision);
    return switch (Values.string(a.get(1, "method", "common"))) {
      case "common" -> {
        double near = toEven(number, precision);
        yield value instanceof Double ? (Object) near : (Object) (long) near;
      }
      case "ceil" -> Math.ceil(number * power) / power;
      case "floor" -> Math.floor(number * power) / power;
      default -> throw new JinjaException("filter 'round': method must be common, ceil or floor");
    };
  }

  /** As Python rounds: to even where two are equally near. */
  private static double toEven(double number, int precision) {
    return Double.isFinite(number)
        ? Math.copySign(new BigDecimal(number).setScale(precision, RoundingMode.HALF_EVEN).doubleValue(), number)
        : number;
  }

  /** The first of the largest items (sign 1) or the smallest (−1). */
  private Object extreme(List<Object> items, Arguments a, int sign) {
    boolean exact = Values.truth(a.get(0, "case_sensitive", false));
    Object path = a.get(1, "attribute", null);
    Object best = new Undefined("an item of an empty list");
    Object bestKey = null;
    for (Object item : items) {
      Object key = path == null ? item : attribute(item, Values.string(path));
      key = key instanceof String s && !exact ? s.toLowerCase(Locale.ROOT) : key;
      if (bestKey == null || sign * Values.compare(key, bestKey) > 0) {
        best = item;
        bestKey = key;
      }
    }
    return best;
  }

  private Object sum(List<Object> items, Arguments a) {
    Object total = 0L;
    for (Object item : items) {
      total = interpreter.arithmetic("+", total, item);
    }
    return total;
  }

  private String join(Object value, Arguments a) {
    Object attribute = a.get(1, "attribute", null);
    return Values.items(value).stream()
        .map(item -> attribute == null ? item : attribute(item, Values.string(attribute)))
        .map(Values::text)
        .collect(Collectors.joining(Values.text(a.get(0, "d", ""))));
  }

  private static List<Object> dictSorted(Map<?, ?> map, Arguments a) {
    List<Object> pairs = Methods.pairs(map);
    pairs.sort(Comparator.comparing(pair -> ((List<?>) pair).getFirst().toString().toLowerCase(Locale.ROOT)));
    return pairs;
  }

  private static String indented(String text, Arguments a) {
    Object width = a.get(0, "width", 4L);
    String margin =
        width instanceof String s ? s : " ".repeat(Math.clamp(Values.integer(width), 0, 1000));
    boolean first = Values.truth(a.get(1, "first", false));
    boolean blank = Values.truth(a.get(2, "blank", false));
    String[] lines = text.split("\n", -1);
    for (int i = 0; i < lines.length; i++) {
      boolean moved = i == 0 ? first : blank || !lines[i].isEmpty();
      lines[i] = moved ? margin + lines[i] : lines[i];
    }
    return String.join("\n", lines);
  }

  private List<Object> mapped(Object value, Arguments a) {
    Object attribute = a.named().get("attribute");
    Object otherwise = a.named().get("default");
    List<Object> results = new ArrayList<>();
    for (Object item : Values.items(value)) {
      if (attribute != null) {
        Object found = attribute(item, Values.string(attribute));
        results.add(found instanceof Undefined && a.named().containsKey("default") ? otherwise : found);
      } else {
        List<Object> rest = a.values().subList(1, a.values().size());
        results.add(apply(a.text(0, "filter"), item, new Arguments("filter map", rest, a.named())));
      }
    }
    return results;
  }

  private static List<Object> kept(Object value, Predicate<Object> keep) {
    return Values.items(value).stream().filter(keep).collect(Collectors.toCollection(ArrayList::new));
  }

  private boolean test(Object item, Arguments a, int from) {
    if (a.values().size() <= from) {
      return Values.truth(item);
    }
    List<Object> rest = a.values().subList(from + 1, a.values().size());
    return Tests.of(Values.string(a.values().get(from)), item, new Arguments("test", rest, a.named()));
  }

  /** An attribute with dots between its parts. */
  private Object attribute(Object item, String path) {
    Object value = item;
    for (String part : Arrays.asList(path.split("\\."))) {
      value = interpreter.subscript(value, part.matches("\\d{1,9}") ? (Object) Long.valueOf(part) : part);
    }
    return value;
  }
}
