package dev.lethe.data.jinja;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.format.StrictJson;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.JsonNode;

/** Real chat templates, byte for byte as transformers renders them. */
class RealTemplatesTest {
  private static final LocalDateTime NOW = LocalDateTime.of(2024, 7, 26, 9, 5, 3);

  @TestFactory
  Stream<DynamicTest> committedTemplates() {
    return tests(Path.of("tests", "resources", "chat", "chat.json"));
  }

  /** Skips where the file of all templates of the script beside the golden texts is not there. */
  @TestFactory
  Stream<DynamicTest> allTemplates() {
    String file = System.getenv("LETHE_CHAT_TEMPLATES");
    assumeTrue(
        file != null && Files.exists(Path.of(file)),
        "skipped: point LETHE_CHAT_TEMPLATES at a file of make_chat.py --all");
    return tests(Path.of(file));
  }

  private static Stream<DynamicTest> tests(Path file) {
    JsonNode golden = StrictJson.read(file, 1 << 26);
    List<Object> conversations = new ArrayList<>();
    golden.get("conversations").forEach(c -> conversations.add(plain(c)));
    return StreamSupport.stream(golden.get("templates").spliterator(), false)
        .map(
            t ->
                DynamicTest.dynamicTest(
                    t.get("name").stringValue(),
                    () -> {
                      Template template = Template.of(t.get("template").stringValue());
                      for (int i = 0; i < conversations.size(); i++) {
                        require(template, conversations.get(i), false, t.get("texts").get(i));
                        require(template, conversations.get(i), true, t.get("prompts").get(i));
                      }
                    }));
  }

  private static void require(Template template, Object messages, boolean prompt, JsonNode expected) {
    Map<String, Object> values = new LinkedHashMap<>();
    values.put("messages", messages);
    values.put("tools", null);
    values.put("documents", null);
    values.put("add_generation_prompt", prompt);
    values.put("bos_token", "<s>");
    values.put("eos_token", "</s>");
    values.put("unk_token", "<unk>");
    values.put("pad_token", "<pad>");
    if (expected.isNull()) {
      assertThrows(JinjaException.class, () -> template.render(values, NOW));
    } else {
      assertEquals(expected.stringValue(), template.render(values, NOW).text());
    }
  }

  private static Object plain(JsonNode node) {
    if (node.isArray()) {
      List<Object> list = new ArrayList<>();
      node.forEach(item -> list.add(plain(item)));
      return list;
    }
    if (node.isObject()) {
      Map<String, Object> map = new LinkedHashMap<>();
      node.properties().forEach(e -> map.put(e.getKey(), plain(e.getValue())));
      return map;
    }
    return node.stringValue();
  }
}
