package dev.lethe.data.jinja;

import dev.lethe.data.jinja.Values.Callable;
import dev.lethe.data.jinja.Values.Undefined;
import java.util.List;

/** The variable {@code loop}. */
final class Loop {
  private final List<Object> items;
  private final int depth;
  private int at;
  private List<Object> lastChanged;

  Loop(List<Object> items, int depth) {
    this.items = items;
    this.depth = depth;
  }

  void goTo(int place) {
    at = place;
  }

  Object attribute(String name) {
    return switch (name) {
      case "index" -> at + 1L;
      case "index0" -> (long) at;
      case "revindex" -> (long) items.size() - at;
      case "revindex0" -> items.size() - at - 1L;
      case "first" -> at == 0;
      case "last" -> at == items.size() - 1;
      case "length" -> (long) items.size();
      case "depth" -> depth + 1L;
      case "depth0" -> (long) depth;
      case "previtem" -> at > 0 ? items.get(at - 1) : new Undefined("previtem");
      case "nextitem" -> at + 1 < items.size() ? items.get(at + 1) : new Undefined("nextitem");
      case "cycle" -> (Callable) (values, named) -> values.get(at % values.size());
      case "changed" -> (Callable) (values, named) -> changed(values);
      default -> new Undefined(name);
    };
  }

  private boolean changed(List<Object> values) {
    boolean other = lastChanged == null || !Values.equal(lastChanged, values);
    lastChanged = values;
    return other;
  }
}
