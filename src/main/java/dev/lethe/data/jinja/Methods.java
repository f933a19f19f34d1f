package dev.lethe.data.jinja;

import dev.lethe.data.jinja.Values.Callable;
import dev.lethe.data.jinja.Values.Tuple;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Methods of Python's strings, lists and dictionaries that change nothing. */
final class Methods {
  private static final Map<String, Function<String, Function<Arguments, Object>>> OF_STRINGS =
      Map.ofEntries(
          Map.entry("strip", s -> a -> PyStrings.strip(s, chars(a))),
          Map.entry("lstrip", s -> a -> PyStrings.stripLeft(s, chars(a))),
          Map.entry("rstrip", s -> a -> PyStrings.stripRight(s, chars(a))),
          Map.entry("split", s -> a -> split(s, a, false)),
          Map.entry("rsplit", s -> a -> split(s, a, true)),
          Map.entry("splitlines", s -> a -> none(a, PyStrings.lines(s))),
          Map.entry("startswith", s -> a -> anyOf(a).stream().anyMatch(s::startsWith)),
          Map.entry("endswith", s -> a -> anyOf(a).stream().anyMatch(s::endsWith)),
          Map.entry("upper", s -> a -> none(a, s.toUpperCase(Locale.ROOT))),
          Map.entry("lower", s -> a -> none(a, s.toLowerCase(Locale.ROOT))),
          Map.entry("title", s -> a -> none(a, PyStrings.capitals(s, false))),
          Map.entry("capitalize", s -> a -> none(a, PyStrings.capitals(s, true))),
          Map.entry("replace", s -> a -> replace(s, a.only(3, "old", "new", "count"))),
          Map.entry("join", s -> a -> join(s, a)),
          Map.entry("find", s -> a -> place(s, s.indexOf(a.only(1).text(0, "sub")))),
          Map.entry("rfind", s -> a -> place(s, s.lastIndexOf(a.only(1).text(0, "sub")))),
          Map.entry("count", s -> a -> PyStrings.split(s, a.only(1).text(0, "sub"), -1).size() - 1L),
          Map.entry("removeprefix", s -> a -> withoutPrefix(s, a.only(1).text(0, "prefix"))),
          Map.entry("removesuffix", s -> a -> withoutSuffix(s, a.only(1).text(0, "suffix"))),
          Map.entry("isdigit", s -> a -> none(a, all(s, Character::isDigit))),
          Map.entry("isspace", s -> a -> none(a, all(s, PyStrings::isSpace))),
          Map.entry("isupper", s -> a -> none(a, isCased(s) && s.equals(s.toUpperCase(Locale.ROOT)))),
          Map.entry("islower", s -> a -> none(a, isCased(s) && s.equals(s.toLowerCase(Locale.ROOT)))),
          Map.entry("isalpha", s -> a -> none(a, all(s, Character::isLetter))),
          Map.entry("isalnum", s -> a -> none(a, all(s, Character::isLetterOrDigit))));

  private static final Map<String, Function<List<?>, Function<Arguments, Object>>> OF_LISTS =
      Map.of(
          "index", l -> a -> index(l, a.only(1).require(0, "value")),
          "count",
              l -> a -> l.stream().filter(x -> Values.equal(x, a.only(1).require(0, "value"))).count());

  private static final Map<String, Function<Map<?, ?>, Function<Arguments, Object>>> OF_MAPS =
      Map.of(
          "items", m -> a -> none(a, pairs(m)),
          "keys", m -> a -> none(a, new ArrayList<Object>(m.keySet())),
          "values", m -> a -> none(a, new ArrayList<Object>(m.values())),
          "get", m -> a -> m.containsKey(a.require(0, "key")) ? m.get(a.values().getFirst()) : a.get(1, "default", null));

  private Methods() {}

  /** A value's method; null where it has none of that name here. */
  static Callable of(Object value, String name) {
    Function<Arguments, Object> method =
        switch (value) {
          case String s -> OF_STRINGS.containsKey(name) ? OF_STRINGS.get(name).apply(s) : null;
          case List<?> l -> OF_LISTS.containsKey(name) ? OF_LISTS.get(name).apply(l) : null;
          case Map<?, ?> m -> OF_MAPS.containsKey(name) ? OF_MAPS.get(name).apply(m) : null;
          case null, default -> null;
        };
    return method == null
        ? null
        : (values, named) -> method.apply(new Arguments("method " + name, values, named));
  }

  /** The entries of a dictionary as tuples. */
  static List<Object> pairs(Map<?, ?> map) {
    return map.entrySet().stream()
        .map(e -> (Object) new Tuple(Arrays.asList(e.getKey(), e.getValue())))
        .collect(Collectors.toCollection(ArrayList::new));
  }

  private static Object none(Arguments a, Object result) {
    a.only(0);
    return result;
  }

  private static String chars(Arguments a) {
    Object chars = a.only(1, "chars").get(0, "chars", null);
    return chars == null ? null : Values.string(chars);
  }

  private static List<Object> split(String s, Arguments a, boolean right) {
    Object separator = a.only(2, "sep", "maxsplit").get(0, "sep", null);
    long limit = Values.integer(a.get(1, "maxsplit", -1L));
    if (separator == null) {
      if (right && limit >= 0) {
        throw new JinjaException("rsplit at white space with a limit is not supported");
      }
      return PyStrings.words(s, limit);
    }
    return right
        ? PyStrings.splitRight(s, Values.string(separator), limit)
        : PyStrings.split(s, Values.string(separator), limit);
  }

  private static List<String> anyOf(Arguments a) {
    Object prefix = a.only(1).require(0, "prefix");
    return prefix instanceof Tuple t ? t.stream().map(Values::string).toList() : List.of(Values.string(prefix));
  }

  /** {@code str.replace}, of the first {@code count} occurrences where that is given. */
  static String replace(String s, Arguments a) {
    String old = a.text(0, "old");
    String by = a.text(1, "new");
    Object limit = a.get(2, "count", null);
    long count = limit == null ? -1 : Values.integer(limit);
    if (old.isEmpty()) {
      throw new JinjaException("replacing the empty string is not supported");
    }
    return PyStrings.split(s, old, count).stream().map(Values::string).collect(Collectors.joining(by));
  }

  private static String join(String s, Arguments a) {
    return Values.items(a.only(1).require(0, "iterable")).stream()
        .map(Values::string)
        .collect(Collectors.joining(s));
  }

  private static long place(String s, int at) {
    return at < 0 ? -1 : s.codePointCount(0, at);
  }

  private static long index(List<?> list, Object value) {
    for (int i = 0; i < list.size(); i++) {
      if (Values.equal(list.get(i), value)) {
        return i;
      }
    }
    throw new JinjaException("a list has no such item");
  }

  private static String withoutPrefix(String s, String prefix) {
    return s.startsWith(prefix) ? s.substring(prefix.length()) : s;
  }

  private static String withoutSuffix(String s, String suffix) {
    return s.endsWith(suffix) ? s.substring(0, s.length() - suffix.length()) : s;
  }

  private static boolean isCased(String s) {
    return s.codePoints().anyMatch(c -> Character.isUpperCase(c) || Character.isLowerCase(c));
  }

  private static boolean all(String s, java.util.function.IntPredicate test) {
    return !s.isEmpty() && s.codePoints().allMatch(test);
  }
}
