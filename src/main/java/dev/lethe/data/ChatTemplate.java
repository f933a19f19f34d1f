package dev.lethe.data;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.data.PromptTemplate.Piece;
import dev.lethe.data.Row.InstructionRow;
import dev.lethe.data.Row.Message;
import dev.lethe.data.Row.MessagesRow;
import dev.lethe.data.Row.PromptRow;
import dev.lethe.data.Row.QuestionRow;
import dev.lethe.data.jinja.JinjaException;
import dev.lethe.data.jinja.Template.Rendering;
import dev.lethe.data.jinja.Template.Span;
import dev.lethe.data.jinja.Template;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.Place;
import dev.lethe.format.Sha256;
import dev.lethe.format.StrictJson;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/**
 * The chat template of a model's folder: {@code chat_template.jinja}, or {@code chat_template} in {@code
 * tokenizer_config.json}, of several the one named {@code default}. What the model learns to say is what stands in the
 * template's {@code generation} blocks; where it has none, what comes after the prompt that the template makes of the
 * messages before, up to where it ends the turn.
 */
public final class ChatTemplate implements PromptForm {
  private static final String FILE = "chat_template.jinja";
  private static final String CONFIG = "tokenizer_config.json";
  private static final String THOUGHT = "</think>";
  private static final long MAX_BYTES = 16 << 20;

  private final Path file;
  private final String source;
  private final Map<String, String> named;
  private final Supervise supervise;
  private final LocalDateTime now;
  private volatile Template template;

  private ChatTemplate(
      Path file, String source, Map<String, String> named, Supervise supervise, LocalDateTime now) {
    this.file = file;
    this.source = source;
    this.named = named;
    this.supervise = supervise;
    this.now = now;
  }

  /**
   * The template of a model's folder; null where it has none.
   *
   * @param now the time that templates which ask for it are told
   */
  public static ChatTemplate of(Path folder, Supervise supervise, LocalDateTime now) {
    Path own = folder.resolve(FILE);
    if (Files.exists(own)) {
      String text = StrictJson.readText(own, MAX_BYTES);
      return new ChatTemplate(own, text, Map.of(), supervise, now);
    }
    Path config = folder.resolve(CONFIG);
    JsonNode declared =
        Files.exists(config)
            ? StrictJson.readObject(config, MAX_BYTES).path("chat_template")
            : StrictJson.newObject().path("chat_template");
    if (declared.isMissingNode() || declared.isNull()) {
      return null;
    }
    return new ChatTemplate(config, usual(declared, config), Map.of(), supervise, now);
  }

  /** The template that another file holds, such as a GGUF file. */
  public static ChatTemplate of(Path file, String source, Supervise supervise, LocalDateTime now) {
    return new ChatTemplate(file, source, Map.of(), supervise, now);
  }

  private static String usual(JsonNode declared, Path config) {
    JsonNode chosen = declared.isObject() ? declared.path("default") : declared;
    List<String> names = new ArrayList<>(declared.propertyNames());
    if (declared.isArray()) {
      for (JsonNode each : declared) {
        String name = each.path("name").asString("");
        names.add(name);
        chosen = name.equals("default") ? each.path("template") : chosen;
      }
    }
    if (!chosen.isString()) {
      throw Place.of(config).refuse(
          Kind.TOKENIZER_FILE, "chat_template has no template that is used by default",
          "a text, or one named 'default'", names.toString());
    }
    return chosen.stringValue();
  }

  /** The same with a tokenizer's special tokens, such as {@code eos_token}, which templates write. */
  public ChatTemplate naming(Map<String, String> specialTokens) {
    return new ChatTemplate(file, source, specialTokens, supervise, now);
  }

  /** The hash of the template's text, in hex. */
  public String sha256() {
    return Sha256.start().add(source).hex();
  }

  /** In words, which template this is. */
  public String description() {
    String day = source.contains("strftime_now") ? ", told the day " + now.toLocalDate() : "";
    return Text.format("the chat template of %s, SHA-256 %s…%s", file.getFileName(), sha256().substring(0, 16), day);
  }

  @Override
  public Rendered render(Row row, String where) {
    List<Message> messages = messages(supervise.mark(row));
    try {
      if (template == null) {
        template = Template.of(source);
      }
      return new Rendered(pieces(messages), false);
    } catch (JinjaException e) {
      throw new FormatException(
          Kind.CANNOT_ENCODE,
          where,
          "the model's chat template in " + file + " cannot render the row",
          null,
          e.getMessage(),
          "Use another format, as in --template chat, or rows that the template has a place for",
          e);
    }
  }

  private static List<Message> messages(Row row) {
    return switch (row) {
      case MessagesRow r -> r.messages();
      case PromptRow r -> PromptTemplate.turns(r.prompt(), r.response());
      case QuestionRow r -> PromptTemplate.turns(r.question(), r.answer());
      case InstructionRow r ->
          PromptTemplate.turns(
              r.input().isEmpty() ? r.instruction() : r.instruction() + "\n" + r.input(), r.output());
      case Row.TokenRow r ->
          throw new ArgumentException("row '" + r.id() + "' is tokens and needs no format");
    };
  }

  private List<Piece> pieces(List<Message> messages) {
    Rendering whole = render(messages, false);
    List<Span> learned =
        whole.generations().isEmpty() ? turns(messages, whole.text()) : marked(messages, whole);
    List<Piece> pieces = new ArrayList<>();
    int at = 0;
    for (Span span : learned) {
      add(pieces, whole.text().substring(at, span.from()), false);
      add(pieces, whole.text().substring(span.from(), span.to()), true);
      at = span.to();
    }
    add(pieces, whole.text().substring(at), false);
    return pieces;
  }

  private static void add(List<Piece> pieces, String text, boolean supervised) {
    if (!text.isEmpty()) {
      pieces.add(new Piece(text, supervised, false));
    }
  }

  private Rendering render(List<Message> messages, boolean prompt) {
    Map<String, Object> values = new LinkedHashMap<>(named);
    values.put("messages", messages.stream().map(ChatTemplate::fields).toList());
    values.put("tools", null);
    values.put("documents", null);
    values.put("add_generation_prompt", prompt);
    return template.render(values, now);
  }

  private static Map<String, Object> fields(Message message) {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("role", message.role());
    fields.put("content", message.content());
    return fields;
  }

  /** The generation blocks of the turns that are learned. */
  private static List<Span> marked(List<Message> messages, Rendering whole) {
    List<Message> own = messages.stream().filter(Message::isAssistant).toList();
    if (own.stream().allMatch(Message::supervised)) {
      return whole.generations();
    }
    if (own.size() != whole.generations().size()) {
      throw new JinjaException(
          Text.format(
              "%d generation blocks for %d turns of the assistant, so single turns cannot be left out",
              whole.generations().size(), own.size()));
    }
    List<Span> spans = new ArrayList<>();
    for (int i = 0; i < own.size(); i++) {
      if (own.get(i).supervised()) {
        spans.add(whole.generations().get(i));
      }
    }
    return spans;
  }

  /** Where the turns that are learned stand, by what the template makes of the messages before them. */
  private List<Span> turns(List<Message> messages, String whole) {
    List<Span> spans = new ArrayList<>();
    int at = 0;
    for (int i = 0; i < messages.size(); i++) {
      if (messages.get(i).supervised()) {
        int from = begin(messages, i, whole, at);
        int to = end(messages, i, whole, from);
        if (to > from) {
          spans.add(new Span(from, to));
          at = to;
        }
      }
    }
    return spans;
  }

  private int begin(List<Message> messages, int turn, String whole, int after) {
    for (boolean prompt : new boolean[] {true, false}) {
      String before = textOrNull(messages.subList(0, turn), prompt);
      if (before != null && before.length() >= after && whole.startsWith(before)) {
        return before.length();
      }
    }
    return placeOf(messages.get(turn), whole, after);
  }

  private int end(List<Message> messages, int turn, String whole, int from) {
    String through = textOrNull(messages.subList(0, turn + 1), false);
    if (through != null && through.length() > from && whole.startsWith(through)) {
      return through.length();
    }
    String said = said(messages.get(turn), whole);
    int end = placeOf(messages.get(turn), whole, from) + said.length();
    int tail = through == null ? -1 : through.lastIndexOf(said);
    if (tail >= 0) {
      tail += said.length();
      while (tail < through.length()
          && end < whole.length()
          && through.charAt(tail) == whole.charAt(end)) {
        tail++;
        end++;
      }
    }
    return end;
  }

  /** What of a message stands in the text: templates cut white space, and some what was thought. */
  private static String said(Message message, String whole) {
    String text = message.content().strip();
    int thought = text.lastIndexOf(THOUGHT);
    return whole.contains(text) || thought < 0
        ? text
        : text.substring(thought + THOUGHT.length()).strip();
  }

  private static int placeOf(Message message, String whole, int from) {
    int place = whole.indexOf(said(message, whole), from);
    if (place < 0) {
      throw new JinjaException("a turn of the assistant is not found in what it renders");
    }
    return place;
  }

  private String textOrNull(List<Message> messages, boolean prompt) {
    try {
      return render(messages, prompt).text();
    } catch (JinjaException e) {
      return null; // it has no place for a conversation that ends here
    }
  }
}
