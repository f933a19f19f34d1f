package dev.lethe.data.jinja;

import dev.lethe.Text;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The filter {@code tojson} as transformers defines it: Python's {@code json.dumps}. */
final class Json {
  private final String indent;
  private final String comma;
  private final String colon;
  private final boolean ascii;
  private final boolean sorted;
  private final StringBuilder out = new StringBuilder();

  private Json(Arguments a) {
    Object width = a.get(1, "indent", null);
    indent =
        width == null
            ? null
            : width instanceof String s ? s : " ".repeat(Math.clamp(Values.integer(width), 0, 64));
    Object separators = a.get(2, "separators", null);
    List<Object> pair = separators == null ? null : Values.items(separators);
    comma = pair == null ? (indent == null ? ", " : ",") : Values.string(pair.get(0));
    colon = pair == null ? ": " : Values.string(pair.get(1));
    ascii = Values.truth(a.get(0, "ensure_ascii", false));
    sorted = Values.truth(a.get(3, "sort_keys", false));
  }

  static String of(Object value, Arguments arguments) {
    Json json = new Json(arguments.only(4, "ensure_ascii", "indent", "separators", "sort_keys"));
    json.write(value, 0);
    return json.out.toString();
  }

  private void write(Object value, int depth) {
    switch (value) {
      case null -> out.append("null");
      case Boolean b -> out.append(b);
      case Long n -> out.append(n);
      case Double d -> out.append(Double.isNaN(d) ? "NaN" : Double.isInfinite(d) ? d > 0 ? "Infinity" : "-Infinity" : Values.decimal(d));
      case String s -> quote(s);
      case List<?> list -> {
        out.append('[');
        for (int i = 0; i < list.size(); i++) {
          between(i, depth);
          write(list.get(i), depth + 1);
        }
        end(list.isEmpty(), depth, ']');
      }
      case Map<?, ?> map -> {
        out.append('{');
        int i = 0;
        for (var entry : (sorted ? new TreeMap<>(map) : map).entrySet()) {
          between(i++, depth);
          quote(entry.getKey().toString());
          out.append(colon);
          write(entry.getValue(), depth + 1);
        }
        end(map.isEmpty(), depth, '}');
      }
      default -> throw Values.wrongType("a value that JSON has", value);
    }
  }

  private void between(int place, int depth) {
    out.append(place > 0 ? comma : "");
    if (indent != null) {
      out.append('\n').append(indent.repeat(depth + 1));
    }
  }

  private void end(boolean empty, int depth, char bracket) {
    if (indent != null && !empty) {
      out.append('\n').append(indent.repeat(depth));
    }
    out.append(bracket);
  }

  private void quote(String text) {
    out.append('"');
    for (char c : text.toCharArray()) {
      int simple = "\"\\\n\r\t\b\f".indexOf(c);
      if (simple >= 0) {
        out.append('\\').append("\"\\nrtbf".charAt(simple));
      } else if (c < 0x20 || ascii && c > 0x7E) {
        out.append(Text.format("\\u%04x", (int) c));
      } else {
        out.append(c);
      }
    }
    out.append('"');
  }
}
