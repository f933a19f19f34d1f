package dev.lethe.data.jinja;

import dev.lethe.Text;
import java.math.BigDecimal;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;

/**
 * Python's values as templates see them: null, Boolean, Long, Double, String, List, Map with string keys, and the
 * types below.
 */
final class Values {
  private Values() {}

  /** A name, key or attribute that is not there. */
  record Undefined(String name) {}

  /** What {@code namespace()} gives: attributes that can be set. */
  record Namespace(Map<String, Object> attributes) {}

  /** What can be called. */
  interface Callable {
    Object call(List<Object> values, Map<String, Object> named);
  }

  /** A list that cannot change and is written with parentheses. */
  static final class Tuple extends AbstractList<Object> {
    private final List<Object> items;

    Tuple(List<Object> items) {
      this.items = items;
    }

    @Override
    public Object get(int index) {
      return items.get(index);
    }

    @Override
    public int size() {
      return items.size();
    }
  }

  static boolean truth(Object value) {
    return switch (value) {
      case null -> false;
      case Boolean b -> b;
      case Long n -> n != 0;
      case Double d -> d != 0;
      case String s -> !s.isEmpty();
      case List<?> l -> !l.isEmpty();
      case Map<?, ?> m -> !m.isEmpty();
      case Undefined u -> false;
      default -> true;
    };
  }

  static boolean isNumber(Object value) {
    return value instanceof Long || value instanceof Double || value instanceof Boolean;
  }

  static double number(Object value) {
    return switch (value) {
      case Long n -> n;
      case Double d -> d;
      case Boolean b -> b ? 1 : 0;
      default -> throw wrongType("a number", value);
    };
  }

  static long integer(Object value) {
    return switch (value) {
      case Long n -> n;
      case Boolean b -> b ? 1 : 0;
      case null, default -> throw wrongType("an integer", value);
    };
  }

  static String string(Object value) {
    if (value instanceof String s) {
      return s;
    }
    throw wrongType("a string", value);
  }

  static boolean equal(Object a, Object b) {
    if (isNumber(a) && isNumber(b)) {
      return number(a) == number(b);
    }
    if (a instanceof List<?> x && b instanceof List<?> y) {
      if (x.size() != y.size() || x instanceof Tuple != y instanceof Tuple) {
        return false;
      }
      for (int i = 0; i < x.size(); i++) {
        if (!equal(x.get(i), y.get(i))) {
          return false;
        }
      }
      return true;
    }
    if (a instanceof Map<?, ?> x && b instanceof Map<?, ?> y) {
      return x.keySet().equals(y.keySet())
          && x.keySet().stream().allMatch(k -> equal(x.get(k), y.get(k)));
    }
    return a instanceof Undefined && b instanceof Undefined || Objects.equals(a, b);
  }

  static int compare(Object a, Object b) {
    if (a instanceof Long x && b instanceof Long y) {
      return Long.compare(x, y);
    }
    if (isNumber(a) && isNumber(b)) {
      return Double.compare(number(a), number(b));
    }
    if (a instanceof String x && b instanceof String y) {
      int[] left = x.codePoints().toArray();
      int[] right = y.codePoints().toArray();
      return java.util.Arrays.compare(left, right);
    }
    throw new JinjaException(Text.format("%s and %s have no order", type(a), type(b)));
  }

  static boolean contains(Object container, Object item) {
    return switch (container) {
      case String s -> s.contains(string(item));
      case List<?> l -> l.stream().anyMatch(x -> equal(x, item));
      case Map<?, ?> m -> item instanceof String && m.containsKey(item);
      case Undefined u -> false;
      case null, default -> throw wrongType("a list, an object or a string", container);
    };
  }

  /** What a loop over a value meets. */
  static List<Object> items(Object value) {
    return switch (value) {
      case String s -> PyStrings.characters(s);
      case List<?> l -> new ArrayList<>(l);
      case Map<?, ?> m -> new ArrayList<>(m.keySet());
      case Undefined u -> List.of();
      case null, default -> throw wrongType("something to go through", value);
    };
  }

  static long length(Object value) {
    return value instanceof String s ? PyStrings.length(s) : items(value).size();
  }

  /** As {@code {{ value }}} writes it. */
  static String text(Object value) {
    return switch (value) {
      case String s -> s;
      case Undefined u -> "";
      case null, default -> repr(value);
    };
  }

  static String repr(Object value) {
    return switch (value) {
      case null -> "None";
      case Boolean b -> b ? "True" : "False";
      case Long n -> n.toString();
      case Double d -> decimal(d);
      case String s -> PyStrings.repr(s);
      case Tuple t ->
          "("
              + t.stream().map(Values::repr).collect(Collectors.joining(", "))
              + (t.size() == 1 ? ",)" : ")");
      case List<?> l -> l.stream().map(Values::repr).collect(Collectors.joining(", ", "[", "]"));
      case Map<?, ?> m ->
          m.entrySet().stream()
              .map(e -> repr(e.getKey()) + ": " + repr(e.getValue()))
              .collect(Collectors.joining(", ", "{", "}"));
      case Undefined u -> "Undefined";
      default -> throw wrongType("a value that has a text", value);
    };
  }

  /** The shortest digits that give the number back, as Python writes them. */
  static String decimal(double value) {
    if (Double.isNaN(value)) {
      return "nan";
    }
    if (Double.isInfinite(value)) {
      return value > 0 ? "inf" : "-inf";
    }
    if (value == 0) {
      return 1 / value < 0 ? "-0.0" : "0.0";
    }
    BigDecimal digits = new BigDecimal(Double.toString(value)).stripTrailingZeros();
    int exponent = digits.precision() - digits.scale() - 1;
    if (exponent >= -4 && exponent < 16) {
      String plain = digits.toPlainString();
      return plain.contains(".") ? plain : plain + ".0";
    }
    String all = digits.unscaledValue().abs().toString();
    return (value < 0 ? "-" : "")
        + all.charAt(0)
        + (all.length() > 1 ? "." + all.substring(1) : "")
        + Text.format("e%s%02d", exponent < 0 ? "-" : "+", Math.abs(exponent));
  }

  /** A type's name in messages. */
  static String type(Object value) {
    return switch (value) {
      case null -> "none";
      case Boolean b -> "a boolean";
      case Long n -> "an integer";
      case Double d -> "a float";
      case String s -> "a string";
      case List<?> l -> "a list";
      case Map<?, ?> m -> "an object";
      case Undefined u -> "'" + u.name() + "', which is undefined";
      default -> "something of the template";
    };
  }

  static JinjaException wrongType(String expected, Object got) {
    return new JinjaException(Text.format("expected %s, got %s", expected, type(got)));
  }

  /** A JSON-like Java value as a template sees it. */
  static Object of(Object value) {
    return switch (value) {
      case Integer n -> (long) n;
      case List<?> l -> l.stream().map(Values::of).collect(Collectors.toCollection(ArrayList::new));
      case Map<?, ?> m -> {
        Map<String, Object> copy = new LinkedHashMap<>();
        m.forEach((k, v) -> copy.put(k.toString(), of(v)));
        yield copy;
      }
      case null, default -> value;
    };
  }
}
