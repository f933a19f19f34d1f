package dev.lethe.data;

import dev.lethe.format.StrictJson;
import java.nio.file.Path;
import tools.jackson.databind.JsonNode;

/** Chat templates of public models, and what transformers renders from them ({@code tests/resources/chat}). */
public final class PublicTemplates {
  static final JsonNode GOLDEN = StrictJson.read(Path.of("tests", "resources", "chat", "chat.json"), 1 << 24);

  private PublicTemplates() {}

  /** The template of a model, as in {@code library/qwen2.5:0.5b}. */
  public static String source(String name) {
    for (JsonNode each : GOLDEN.get("templates")) {
      if (each.get("name").stringValue().equals(name)) {
        return each.get("template").stringValue();
      }
    }
    throw new AssertionError("no template " + name);
  }
}
