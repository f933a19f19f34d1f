package dev.lethe.format;

import java.util.List;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/**
 * What becomes of every field of a configuration. A field that no rule names is refused unless it
 * has no effect: unless it is null, false or empty.
 *
 * @param rules the first that names a field of a family counts
 * @param remedy what helps where a field is refused
 */
public record ConfigPolicy(List<Rule> rules, String remedy) {
  private static final System.Logger LOG = System.getLogger(ConfigPolicy.class.getName());

  /** What can become of a field. */
  public enum Fate {
    /** Read, and checked where it is read. */
    USED,
    /** Changes nothing that Lethe computes. */
    HARMLESS,
    /** Has no effect here, which is said on the log. */
    NAMED,
    /** Asks for what is not computed. */
    REFUSED
  }

  /**
   * One rule for some fields.
   *
   * @param families the model types that it is for; empty: all
   * @param why what the fields are for; for refused ones, what they ask for
   * @param neutral values without effect, beside null, false and what is empty
   */
  public record Rule(
      Fate fate, List<String> families, String why, Set<String> neutral, List<String> fields) {
    public static Rule of(Fate fate, String why, String... fields) {
      return new Rule(fate, List.of(), why, Set.of(), List.of(fields));
    }

    /** The same rule for some model types only. */
    public Rule in(String... types) {
      return new Rule(fate, List.of(types), why, neutral, fields);
    }

    /** The same rule with values that have no effect, as JSON has them. */
    public Rule unless(String... values) {
      return new Rule(fate, families, why, Set.of(values), fields);
    }

    private boolean names(String field, String family) {
      return fields.contains(field) && (families.isEmpty() || families.contains(family));
    }

    private boolean asks(JsonNode value) {
      return hasEffect(value)
          && neutral.stream().noneMatch(one -> same(StrictJson.parse(one, "rule"), value));
    }

    private static boolean same(JsonNode one, JsonNode other) {
      return one.isNumber() && other.isNumber()
          ? one.numberValue().doubleValue() == other.numberValue().doubleValue()
          : one.equals(other);
    }
  }

  /** Throws where a field is refused; names those that have no effect here. */
  public void check(JsonFields f, String family) {
    for (String field : f.node().propertyNames()) {
      JsonNode value = f.node().get(field);
      Rule rule =
          rules.stream().filter(one -> one.names(field, family)).findFirst().orElse(null);
      if (rule == null && hasEffect(value)) {
        throw f.unsupported(field, "something that Lethe does not know", remedy);
      }
      if (rule != null && rule.fate == Fate.REFUSED && rule.asks(value)) {
        throw f.unsupported(field, rule.why, remedy);
      }
      if (rule != null && rule.fate == Fate.NAMED && rule.asks(value)) {
        LOG.log(
            System.Logger.Level.WARNING,
            "{0}: field ''{1}'' ({2}) is {3} and has no effect here",
            f.where(),
            field,
            rule.why,
            StrictJson.describe(value));
      }
    }
  }

  private static boolean hasEffect(JsonNode value) {
    if (value.isNull()) {
      return false;
    }
    if (value.isBoolean()) {
      return value.booleanValue();
    }
    return value.isString() ? !value.stringValue().isEmpty() : !value.isContainer() || !value.isEmpty();
  }
}
