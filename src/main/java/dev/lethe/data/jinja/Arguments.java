package dev.lethe.data.jinja;

import dev.lethe.Text;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * What a filter, test or method is called with.
 *
 * @param of its name, for messages
 */
record Arguments(String of, List<Object> values, Map<String, Object> named) {
  /** The argument of a place or a name; {@code otherwise} where it is absent. */
  Object get(int place, String name, Object otherwise) {
    if (place < values.size()) {
      return values.get(place);
    }
    return named.getOrDefault(name, otherwise);
  }

  String text(int place, String name) {
    return Values.string(require(place, name));
  }

  Object require(int place, String name) {
    if (place >= values.size() && !named.containsKey(name)) {
      throw new JinjaException(Text.format("%s: argument '%s' is missing", of, name));
    }
    return get(place, name, null);
  }

  /** Refuses more arguments than are used. */
  Arguments only(int places, String... names) {
    Set<String> known = Set.of(names);
    for (String name : named.keySet()) {
      if (!known.contains(name)) {
        throw new JinjaException(Text.format("%s: argument '%s' is not supported", of, name));
      }
    }
    if (values.size() > places) {
      throw new JinjaException(Text.format("%s has more than %d arguments", of, places));
    }
    return this;
  }
}
