package dev.lethe.tokenizer;

import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.Place;
import dev.lethe.format.StrictJson;
import java.util.Set;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A token that is found in a text before anything else is, as the tokenizers library has it.
 *
 * @param singleWord found only where no letter stands beside it
 * @param lstrip takes the white space before it along
 * @param rstrip takes the white space after it along
 * @param normalized looked for in the normalised text
 * @param special left out when tokens become text
 */
record AddedToken(
    String content,
    boolean singleWord,
    boolean lstrip,
    boolean rstrip,
    boolean normalized,
    boolean special) {
  private static final Set<String> FIELDS =
      Set.of("id", "content", "single_word", "lstrip", "rstrip", "normalized", "special", "__type");

  /** A special token that a place declares by its text alone. */
  static AddedToken special(String content) {
    return new AddedToken(content, false, false, false, false, true);
  }

  /** A token as a file declares it: by its text, or by an object with the library's fields and defaults. */
  static AddedToken of(JsonNode node, boolean specialByDefault, String where) {
    if (node.isString()) {
      return special(node.stringValue());
    }
    if (!(node instanceof ObjectNode fields) || !fields.path("content").isString()) {
      throw new Place(where).refuse(
          Kind.TOKENIZER_FILE, "this declares no token", "a string, or an object with 'content'",
          StrictJson.describe(node));
    }
    for (String field : fields.propertyNames()) {
      if (!FIELDS.contains(field)) {
        throw new Place(where).refuse(
            Kind.TOKENIZER_FILE, "a token has a field that is not known", "fields of " + FIELDS,
            "'" + field + "'");
      }
    }
    boolean special = flag(fields, "special", specialByDefault, where);
    return new AddedToken(
        fields.path("content").stringValue(),
        flag(fields, "single_word", false, where),
        flag(fields, "lstrip", false, where),
        flag(fields, "rstrip", false, where),
        flag(fields, "normalized", !special, where),
        special);
  }

  AddedToken asSpecial() {
    return new AddedToken(content, singleWord, lstrip, rstrip, normalized, true);
  }

  /** As it stands in a {@code tokenizer.json}. */
  ObjectNode json(int id) {
    return StrictJson.newObject()
        .put("id", id)
        .put("content", content)
        .put("single_word", singleWord)
        .put("lstrip", lstrip)
        .put("rstrip", rstrip)
        .put("normalized", normalized)
        .put("special", special);
  }

  private static boolean flag(ObjectNode fields, String name, boolean usual, String where) {
    JsonNode value = fields.path(name);
    if (value.isMissingNode()) {
      return usual;
    }
    if (!value.isBoolean()) {
      throw new Place(where).refuse(
          Kind.TOKENIZER_FILE, "a token's '" + name + "' cannot be used", "true or false",
          StrictJson.describe(value));
    }
    return value.booleanValue();
  }
}
