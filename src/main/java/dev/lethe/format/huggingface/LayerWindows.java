package dev.lethe.format.huggingface;

import dev.lethe.Text;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.JsonFields;
import dev.lethe.format.Place;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * The sliding window of each layer, from {@code sliding_window}, {@code use_sliding_window}, {@code
 * layer_types} and the family's own rule; refused where they contradict each other.
 */
public final class LayerWindows {
  private static final String FULL = "full_attention";
  private static final String SLIDING = "sliding_attention";
  private static final int MAX_WINDOW = 1 << 24;

  /** Which layers a window restricts, where the configuration has one. */
  public enum Rule {
    /** None; a configuration that asks for one is refused. */
    NONE,
    /** Those that {@code layer_types} names, else every layer. */
    ALL,
    /** Those that {@code layer_types} names, else those from {@code max_window_layers} on. */
    UPPER,
    /** Those that {@code layer_types} names, else all but every {@code sliding_window_pattern}th. */
    PATTERN
  }

  private final JsonFields f;
  private final ConfigDefaults defaults;
  private final int layers;
  private final List<String> types;
  private final int window;
  private final boolean switchedOff;
  private final boolean switchedOn;

  private LayerWindows(JsonFields f, ConfigDefaults defaults, int layers) {
    this.f = f;
    this.defaults = defaults;
    this.layers = layers;
    this.types = types(f, layers);
    this.window =
        f.node().has("sliding_window")
            ? (int) f.integerOr("sliding_window", 0, 1, MAX_WINDOW)
            : defaults.window();
    this.switchedOn = f.flagOr("use_sliding_window", false);
    this.switchedOff = !f.flagOr("use_sliding_window", true);
  }

  /** The window of each layer in tokens; 0: none. */
  static List<Integer> of(JsonFields f, ConfigDefaults defaults, int layers) {
    LayerWindows windows = new LayerWindows(f, defaults, layers);
    return switch (defaults.windows()) {
      case NONE -> windows.none();
      case ALL -> windows.switched(windows.same(windows.window));
      case PATTERN -> windows.switched(windows.pattern());
      case UPPER -> windows.upper();
    };
  }

  private List<Integer> none() {
    if (switchedOn || types.contains(SLIDING) || (window > 0 && !switchedOff)) {
      throw refuse(
          "a sliding window is not supported in the " + defaults.modelType() + " family",
          "none",
          "one of " + window + " tokens");
    }
    return same(0);
  }

  /** The layers' types, else the given windows, unless a switch says otherwise. */
  private List<Integer> switched(List<Integer> untyped) {
    List<Integer> all = types.isEmpty() ? untyped : byType(window);
    boolean some = all.stream().anyMatch(size -> size > 0);
    if (some ? switchedOff : switchedOn) {
      throw contradiction();
    }
    return all;
  }

  private List<Integer> pattern() {
    if (window == 0 && types.isEmpty()) {
      throw contradiction();
    }
    long every = f.integerOr("sliding_window_pattern", 6, 1, Integer.MAX_VALUE);
    return IntStream.range(0, layers).mapToObj(i -> (i + 1) % every == 0 ? 0 : window).toList();
  }

  private List<Integer> upper() {
    int used = switchedOn ? window : 0;
    if (!types.isEmpty()) {
      return byType(used);
    }
    long first = f.integerOr("max_window_layers", 28, 0, Integer.MAX_VALUE);
    return IntStream.range(0, layers).mapToObj(layer -> layer >= first ? used : 0).toList();
  }

  private List<Integer> byType(int size) {
    if (size == 0 && types.contains(SLIDING)) {
      throw contradiction();
    }
    return types.stream().map(type -> type.equals(SLIDING) ? size : 0).toList();
  }

  private List<Integer> same(int value) {
    return Collections.nCopies(layers, value);
  }

  private static List<String> types(JsonFields f, int layers) {
    List<String> types = f.strings("layer_types");
    if (!types.isEmpty() && types.size() != layers) {
      throw new Place(f.where()).refuse(
          Kind.OUT_OF_RANGE, "field 'layer_types' has another length than num_hidden_layers",
          layers + " entries", types.size() + " entries");
    }
    for (String type : types) {
      if (!Set.of(FULL, SLIDING).contains(type)) {
        throw f.unsupported("layer_types", "layers of type '" + type + "'", "Use another model");
      }
    }
    return types;
  }

  private FormatException contradiction() {
    String got =
        Text.format(
            "sliding_window %s, use_sliding_window %s, layer_types %s",
            window == 0 ? "null" : window, f.node().path("use_sliding_window"), f.node().path("layer_types"));
    return refuse(
        "the fields of the sliding window contradict each other", "a window and layers that use it, or neither", got);
  }

  private FormatException refuse(String problem, String expected, String got) {
    return new FormatException(
        Kind.UNSUPPORTED, f.where(), problem, expected, got, "Correct config.json, or fetch it again");
  }
}
