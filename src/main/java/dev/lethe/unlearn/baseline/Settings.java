package dev.lethe.unlearn.baseline;

import dev.lethe.LetheException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The hyper-parameters of a method: the given ones, and the usual ones for the rest. */
public final class Settings {
  private final List<Setting> all;
  private final Map<String, Double> values;

  private Settings(List<Setting> all, Map<String, Double> values) {
    this.all = all;
    this.values = values;
  }

  /**
   * Checks what was given.
   *
   * @param method for error messages
   * @param given values by name
   * @throws LetheException for a name that the method does not have, and a value that it cannot take
   */
  static Settings of(String method, List<Setting> all, Map<String, Double> given) {
    Map<String, Double> values = new LinkedHashMap<>();
    for (Setting each : all) {
      values.put(each.name(), each.checked(method, given.getOrDefault(each.name(), each.usual())));
    }
    for (String name : given.keySet()) {
      if (!values.containsKey(name)) {
        throw new LetheException(
            "--method " + method, "there is no setting '" + name + "'", String.join(", ", values.keySet()), name,
            "Use one of these names with --set.");
      }
    }
    return new Settings(List.copyOf(all), values);
  }

  /** Settings of a training, then a method's own. */
  static List<Setting> joined(List<Setting> some, Setting... more) {
    List<Setting> joined = new ArrayList<>(some);
    joined.addAll(List.of(more));
    return joined;
  }

  /** A value. */
  double number(String name) {
    return values.get(name);
  }

  /** A value that counts something. */
  int count(String name) {
    return (int) number(name);
  }

  /** Name and value of each, as a certificate lists them. */
  public Map<String, String> labels() {
    Map<String, String> labels = new LinkedHashMap<>();
    all.forEach(each -> labels.put(each.name(), each.label(values.get(each.name()))));
    return labels;
  }
}
