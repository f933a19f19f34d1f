package dev.lethe.data.jinja;

import dev.lethe.data.jinja.Values.Callable;
import dev.lethe.data.jinja.Values.Undefined;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** What {@code is} asks. */
final class Tests {
  private Tests() {}

  static boolean of(String name, Object value, Arguments a) {
    return switch (name) {
      case "defined" -> !(value instanceof Undefined);
      case "undefined" -> value instanceof Undefined;
      case "none" -> value == null;
      case "boolean" -> value instanceof Boolean;
      case "true" -> Boolean.TRUE.equals(value);
      case "false" -> Boolean.FALSE.equals(value);
      case "integer" -> value instanceof Long;
      case "float" -> value instanceof Double;
      case "number" -> Values.isNumber(value);
      case "string" -> value instanceof String;
      case "mapping" -> value instanceof Map;
      case "sequence", "iterable" ->
          value instanceof String
              || value instanceof List
              || value instanceof Map
              || value instanceof Undefined;
      case "callable" -> value instanceof Callable;
      case "lower" -> Values.text(value).equals(Values.text(value).toLowerCase(Locale.ROOT));
      case "upper" -> Values.text(value).equals(Values.text(value).toUpperCase(Locale.ROOT));
      case "odd" -> Math.floorMod(Values.integer(value), 2) == 1;
      case "even" -> Math.floorMod(Values.integer(value), 2) == 0;
      case "divisibleby" -> Math.floorMod(Values.integer(value), Values.integer(a.require(0, "num"))) == 0;
      case "eq", "equalto", "==" -> Values.equal(value, a.require(0, "other"));
      case "ne", "!=" -> !Values.equal(value, a.require(0, "other"));
      case "lt", "lessthan", "<" -> Values.compare(value, a.require(0, "other")) < 0;
      case "le", "<=" -> Values.compare(value, a.require(0, "other")) <= 0;
      case "gt", "greaterthan", ">" -> Values.compare(value, a.require(0, "other")) > 0;
      case "ge", ">=" -> Values.compare(value, a.require(0, "other")) >= 0;
      case "in" -> Values.contains(a.require(0, "seq"), value);
      case "sameas" -> value == a.require(0, "other");
      default -> throw new JinjaException("test '" + name + "' is not supported");
    };
  }
}
