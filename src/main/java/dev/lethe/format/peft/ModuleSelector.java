package dev.lethe.format.peft;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.format.JsonFields;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A set of modules as PEFT writes it: a list of names, each of which selects the module of that
 * name and all whose name ends in {@code .name}, or one regular expression over the whole name.
 * Exactly one of the two is given; an empty list selects nothing.
 *
 * @param names null where there is an expression
 * @param regex null where there are names
 */
public record ModuleSelector(List<String> names, String regex) {
  private static final String ALL_LINEAR = "all-linear";

  public ModuleSelector {
    if ((names == null) == (regex == null)) {
      throw new ArgumentException(
          "either names or an expression, got " + names + ", " + regex);
    }
    names = names == null ? null : List.copyOf(names);
  }

  /** A selector of names. */
  public static ModuleSelector of(List<String> names) {
    return new ModuleSelector(names, null);
  }

  /** Reads a field that holds a list or a string; nothing is selected where it is absent. */
  static ModuleSelector parse(JsonFields f, String field) {
    JsonNode value = f.node().path(field);
    return value.isString() ? new ModuleSelector(null, value.stringValue()) : of(f.strings(field));
  }

  /** Whether the selector is a list without names or an empty expression. */
  public boolean isEmpty() {
    return regex == null ? names.isEmpty() : regex.isEmpty();
  }

  /**
   * Whether a module is selected, by PEFT's rules.
   *
   * @param module the module's name in the base model, as in {@code model.layers.0.mlp.up_proj};
   *     for the expression {@code all-linear} it must be that of a linear layer
   */
  boolean selects(String module, String where) {
    if (regex == null) {
      return names.stream().anyMatch(name -> module.equals(name) || module.endsWith("." + name));
    }
    if (regex.toLowerCase(Locale.ROOT).equals(ALL_LINEAR)) {
      return !module.equals("lm_head");
    }
    return new ModulePattern("", regex, "", where).fullMatch(module);
  }

  /** In words, for messages. */
  public String inWords() {
    return regex != null ? "the expression " + Text.quote(regex) : Text.shorten(String.join(", ", names), 200);
  }

  /** Puts this selector into a JSON object as PEFT writes it. */
  void putInto(ObjectNode node, String field) {
    if (regex != null) {
      node.put(field, regex);
    } else {
      names.forEach(node.putArray(field)::add);
    }
  }
}
