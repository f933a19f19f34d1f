package dev.lethe.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.data.PromptForm.Rendered;
import dev.lethe.data.PromptForm.Supervise;
import dev.lethe.data.PromptTemplate.Piece;
import dev.lethe.data.Row.Message;
import dev.lethe.data.Row.MessagesRow;
import dev.lethe.data.Row.PromptRow;
import dev.lethe.format.FormatException;
import dev.lethe.tokenizer.HfTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;

class ChatTemplateTest {
  private static final JsonNode GOLDEN = PublicTemplates.GOLDEN;
  private static final LocalDateTime NOW = LocalDateTime.of(2024, 7, 26, 9, 5, 3);
  private static final Map<String, String> NAMED =
      Map.of("bos_token", "<s>", "eos_token", "</s>", "unk_token", "<unk>", "pad_token", "<pad>");
  private static final MessagesRow TWO_ROUNDS =
      new MessagesRow(
          "r",
          List.of(
              new Message("user", "Question one"),
              new Message("assistant", "Answer one"),
              new Message("user", "Question two"),
              new Message("assistant", "Answer two")));

  @TempDir Path folder;

  @Test
  void turnsAreFoundInEveryRealTemplate() throws IOException {
    int found = 0;
    for (JsonNode each : GOLDEN.get("templates")) {
      ChatTemplate template = template(each.get("template").stringValue(), Supervise.ALL);
      for (int c = 0; c < GOLDEN.get("conversations").size(); c++) {
        MessagesRow row = row(GOLDEN.get("conversations").get(c));
        JsonNode text = each.get("texts").get(c);
        if (text.isNull()) {
          assertThrows(FormatException.class, () -> template.render(row, "row 'r'"));
          continue;
        }
        String name = each.get("name").stringValue() + ", conversation " + c;
        Rendered rendered = template.render(row, "row 'r'");
        assertEquals(text.stringValue(), joined(rendered.pieces()), name);
        assertFalse(rendered.framed());
        found += learned(rendered).size();
      }
    }
    assertTrue(found > 150, "turns found: " + found);
  }

  @Test
  void theAssistantsTurnsAreLearnedWithTheirEnds() throws IOException {
    assertEquals(
        List.of("Answer one<|eot_id|>", "Answer two<|eot_id|>"),
        learned(real("library/llama3:8b", Supervise.ALL)));
    assertEquals(
        List.of("Answer one<|im_end|>\n", "Answer two<|im_end|>\n"),
        learned(real("library/qwen2.5:0.5b", Supervise.ALL)));
    assertEquals(
        List.of("Answer one<|im_end|>\n", "<think>\n\n</think>\n\nAnswer two<|im_end|>\n"),
        learned(real("library/qwen3:0.6b", Supervise.ALL)));
    assertEquals(
        List.of("Answer one<end_of_turn>\n", "Answer two<end_of_turn>\n"),
        learned(real("library/gemma3:1b", Supervise.ALL)));
    assertEquals(
        List.of("Answer two<end_of_turn>\n"), learned(real("library/gemma3:1b", Supervise.LAST)));
  }

  @Test
  void markedTurnsAreNotLearned() throws IOException {
    MessagesRow row =
        new MessagesRow(
            "r",
            List.of(
                new Message("user", "q"),
                new Message("assistant", "wrong", false),
                new Message("user", "again"),
                new Message("assistant", "right")));
    ChatTemplate chatMl = template(PublicTemplates.source("library/qwen2.5:0.5b"), Supervise.ALL);
    assertEquals(List.of("right<|im_end|>\n"), learned(chatMl.render(row, "")));
    ChatTemplate marking =
        template(
            "{% for m in messages %}{{ m.role }}:{% if m.role == 'assistant' %}{% generation %}"
                + "{{ m.content }}{{ eos_token }}{% endgeneration %}{% else %}{{ m.content }}{% endif %};{% endfor %}",
            Supervise.ALL);
    assertEquals(List.of("right</s>"), learned(marking.render(row, "")));
    assertEquals(List.of("Answer one</s>", "Answer two</s>"), learned(marking.render(TWO_ROUNDS, "")));
  }

  @Test
  void theTemplateComesFromItsFileThenFromTheConfiguration() throws IOException {
    assertNull(ChatTemplate.of(folder, Supervise.ALL, NOW));
    config("{}");
    assertNull(ChatTemplate.of(folder, Supervise.ALL, NOW));
    config("{\"chat_template\": \"one\"}");
    assertEquals("one", text());
    config("{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"t\"}, {\"name\": \"default\", \"template\": \"two\"}]}");
    assertEquals("two", text());
    config("{\"chat_template\": [{\"name\": \"tool_use\", \"template\": \"t\"}]}");
    assertThrows(FormatException.class, () -> ChatTemplate.of(folder, Supervise.ALL, NOW));
    Files.writeString(folder.resolve("chat_template.jinja"), "file");
    assertEquals("file", text());
    assertTrue(ChatTemplate.of(folder, Supervise.ALL, NOW).description().contains("chat_template.jinja, SHA-256"));
  }

  @Test
  void aTemplateThatCannotBeRenderedIsNamed() throws IOException {
    ChatTemplate template = template("{% include 'tools' %}", Supervise.ALL);
    FormatException e =
        assertThrows(FormatException.class, () -> template.render(TWO_ROUNDS, "f: row 'r'"));
    assertTrue(e.getMessage().startsWith("f: row 'r'"), e.getMessage());
    assertTrue(e.getMessage().contains("'include'") && e.getMessage().contains("--template"));
    assertTrue(e.getMessage().contains("chat_template.jinja"));
  }

  @Test
  void tokensAreThoseOfTheWholeText() throws IOException {
    Path tokenizerFolder = Path.of("tests", "resources", "tokenizers", "qwen3");
    ChatTemplate template = template(PublicTemplates.source("library/qwen2.5:0.5b"), Supervise.ALL);
    try (HfTokenizer tokenizer = HfTokenizer.open(tokenizerFolder)) {
      Encoder encoder = Encoder.of(tokenizer, template.naming(tokenizer.named()), 500, 2000);
      Sample sample = encoder.encode(List.of(TWO_ROUNDS), "f").getFirst();
      String text = joined(template.render(TWO_ROUNDS, "").pieces());
      assertArrayEquals(
          tokenizer.encode(text, false), sample.inputIds());
      assertEquals(List.of(), encoder.notes());
    }
  }

  @Test
  void aPromptIsAConversationOfOneRound() throws IOException {
    ChatTemplate template = template(PublicTemplates.source("library/gemma3:1b"), Supervise.ALL);
    Rendered rendered = template.render(new PromptRow("r", "Hi", "Ho"), "");
    assertEquals(List.of("Ho<end_of_turn>\n"), learned(rendered));
  }

  private Rendered real(String name, Supervise supervise) throws IOException {
    return template(PublicTemplates.source(name), supervise).render(TWO_ROUNDS, "row 'r'");
  }

  private ChatTemplate template(String source, Supervise supervise) throws IOException {
    Files.writeString(folder.resolve("chat_template.jinja"), source);
    return ChatTemplate.of(folder, supervise, NOW).naming(NAMED);
  }

  private void config(String json) throws IOException {
    Files.writeString(folder.resolve("tokenizer_config.json"), json);
  }

  private String text() {
    MessagesRow row = new MessagesRow("r", List.of(new Message("user", "q")));
    return joined(ChatTemplate.of(folder, Supervise.ALL, NOW).render(row, "").pieces());
  }

  private static List<String> learned(Rendered rendered) {
    return rendered.pieces().stream().filter(Piece::supervised).map(Piece::text).toList();
  }

  private static String joined(List<Piece> pieces) {
    return pieces.stream().map(Piece::text).collect(Collectors.joining());
  }

  private static MessagesRow row(JsonNode conversation) {
    List<Message> messages = new ArrayList<>();
    conversation.forEach(
        m -> messages.add(new Message(m.get("role").stringValue(), m.get("content").stringValue())));
    return new MessagesRow("r", messages);
  }
}
