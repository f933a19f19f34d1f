package dev.lethe.format.gguf;

import dev.lethe.Text;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.Place;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/** Typed access to a file's metadata, which notes what was asked for. */
final class GgufMetadata {
  private final Map<String, Object> values;
  private final Place where;
  private final Set<String> asked = new HashSet<>();

  GgufMetadata(Map<String, Object> values, Place where) {
    this.values = values;
    this.where = where;
  }

  Place place(String key) {
    return where.in("metadata " + Text.quote(key));
  }

  boolean has(String key) {
    return values.containsKey(key);
  }

  /** The keys that nobody asked for. */
  List<String> unasked() {
    return values.keySet().stream().filter(key -> !asked.contains(key)).toList();
  }

  long integer(String key) {
    return get(key, Long.class, "an integer");
  }

  long integerOr(String key, long fallback) {
    asked.add(key);
    return has(key) ? integer(key) : fallback;
  }

  /** An integer, given once or once for each layer with the same value. */
  long sameInteger(String key, long fallback) {
    asked.add(key);
    if (values.get(key) instanceof List<?> list) {
      if (list.isEmpty() || list.stream().distinct().count() != 1 || !(list.getFirst() instanceof Long value)) {
        throw GgufHeader.unsupported(
            place(key), "layers differ", "one value for all layers", Text.shorten(list.toString(), 60),
            "Use a model whose layers are alike");
      }
      return value;
    }
    return integerOr(key, fallback);
  }

  double number(String key) {
    return get(key, Double.class, "a number");
  }

  double numberOr(String key, double fallback) {
    asked.add(key);
    return has(key) ? number(key) : fallback;
  }

  boolean flagOr(String key, boolean fallback) {
    asked.add(key);
    return has(key) ? get(key, Boolean.class, "true or false") : fallback;
  }

  String string(String key) {
    return get(key, String.class, "a text");
  }

  String stringOr(String key, String fallback) {
    asked.add(key);
    return has(key) ? string(key) : fallback;
  }

  <T> List<T> list(String key, Class<T> type) {
    List<?> list = get(key, List.class, "a list");
    for (Object value : list) {
      if (!type.isInstance(value)) {
        throw place(key).refuse(
            Kind.WRONG_TYPE, "it holds values of the wrong kind", type.getSimpleName(),
            Text.shorten(String.valueOf(value), 40));
      }
    }
    return list.stream().map(type::cast).toList();
  }

  <T> List<T> listOr(String key, Class<T> type, List<T> fallback) {
    asked.add(key);
    return has(key) ? list(key, type) : fallback;
  }

  /** Throws where a value has an effect that is not computed. */
  void refuseUnless(String key, Predicate<Object> harmless, String why) {
    asked.add(key);
    if (has(key) && !harmless.test(values.get(key))) {
      throw GgufHeader.unsupported(
          place(key), "it asks for " + why, "a file without it",
          Text.shorten(String.valueOf(values.get(key)), 60), "Use another model");
    }
  }

  private <T> T get(String key, Class<T> type, String expected) {
    asked.add(key);
    Object value = values.get(key);
    if (value == null) {
      throw missing(key);
    }
    if (!type.isInstance(value)) {
      throw place(key).refuse(
          Kind.WRONG_TYPE, "its value is of the wrong kind", expected,
          Text.shorten(String.valueOf(value), 40));
    }
    return type.cast(value);
  }

  private FormatException missing(String key) {
    return where.refuse(Kind.MISSING_FIELD, "the metadata lacks a key", "'" + key + "'", null);
  }
}
