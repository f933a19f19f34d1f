package dev.lethe.format;

import dev.lethe.Text;
import dev.lethe.format.FormatException.Kind;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.StreamReadFeature;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.core.exc.StreamReadException;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.databind.DeserializationFeature;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectReader;
import tools.jackson.databind.cfg.JsonNodeFeature;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.NullNode;
import tools.jackson.databind.node.NumericNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * JSON as RFC 8259 has it and no wider: strict UTF-8, no duplicate keys, nothing after the value,
 * bounded nesting. Numbers keep their digits, so that a value that is read and written back is the
 * same value.
 */
public final class StrictJson {
  private static final int MAX_DEPTH = 64;

  /** Characters of a value that a message shows. */
  private static final int SHOWN = 60;

  private static final JsonMapper MAPPER = mapper();
  private static final ObjectReader ONE_OF_MANY =
      MAPPER.reader().without(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);

  private StrictJson() {}

  /** The JSON value in a file of at most {@code maxBytes}. */
  public static JsonNode read(Path file, long maxBytes) {
    return parse(readText(file, maxBytes), file.toString());
  }

  /** As {@link #read}, where the value must be an object. */
  public static ObjectNode readObject(Path file, long maxBytes) {
    JsonNode node = read(file, maxBytes);
    if (node instanceof ObjectNode object) {
      return object;
    }
    throw new FormatException(
        Kind.WRONG_TYPE,
        file.toString(),
        "the file holds another JSON value",
        "an object",
        describe(node),
        "Fetch the file again from its source");
  }

  /** The one JSON value in a text. */
  public static JsonNode parse(String text, String where) {
    try {
      JsonNode node = MAPPER.readTree(text);
      if (node.isMissingNode()) {
        throw new Place(where).refuse(Kind.JSON_SYNTAX, "no JSON value", "one", "nothing");
      }
      return node;
    } catch (JacksonException e) {
      throw syntax(e, where);
    } catch (NumberFormatException e) {
      throw numberTooLarge(where, e);
    }
  }

  /** The text of a JSON value, indented, with a newline at the end; numbers that are none are null. */
  public static String write(JsonNode node) {
    return MAPPER.writerWithDefaultPrettyPrinter().writeValueAsString(finite(node)) + "\n";
  }

  /** The text of a JSON value on one line; numbers that are none are null. */
  public static String line(JsonNode node) {
    return finite(node).toString();
  }

  /** The same value with null in the place of NaN and infinities, which JSON has not. */
  public static JsonNode finite(JsonNode node) {
    return switch (node) {
      case ObjectNode object -> {
        object.properties().forEach(field -> field.setValue(finite(field.getValue())));
        yield object;
      }
      case ArrayNode array -> {
        for (int i = 0; i < array.size(); i++) {
          array.set(i, finite(array.get(i)));
        }
        yield array;
      }
      case NumericNode number when number.isNaN() -> NullNode.getInstance();
      default -> node;
    };
  }

  /** An empty object whose numbers keep their digits. */
  public static ObjectNode newObject() {
    return MAPPER.createObjectNode();
  }

  /** A pull parser with the same strictness. */
  public static JsonParser parser(String text) {
    return MAPPER.createParser(text);
  }

  /** The next value of a pull parser as a tree; the parser stands at its first token. */
  public static JsonNode readTree(JsonParser parser, String where) {
    try {
      return ONE_OF_MANY.readTree(parser);
    } catch (NumberFormatException e) {
      throw numberTooLarge(where, e);
    }
  }

  /** A file's text, strict UTF-8, without a leading byte-order mark. */
  public static String readText(Path file, long maxBytes) {
    byte[] bytes = readBytes(file, maxBytes);
    String text = decode(ByteBuffer.wrap(bytes), file.toString());
    return text.startsWith("\uFEFF") ? text.substring(1) : text;
  }

  /** Strict UTF-8. */
  public static String decode(ByteBuffer bytes, String where) {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
    } catch (CharacterCodingException e) {
      throw new Place(where).refuse(
          Kind.ENCODING, "the text is not UTF-8", "strict UTF-8",
          "invalid bytes at offset " + bytes.position(), e);
    }
  }

  /** A complaint of the JSON library in this project's words. */
  public static FormatException syntax(JacksonException e, String where) {
    return syntax(e, where, e.getLocation() == null ? 1 : e.getLocation().getLineNr());
  }

  public static FormatException syntax(JacksonException e, String where, long line) {
    return syntax(e, where, line, "Correct the file");
  }

  /** The same with what helps in such a file. */
  public static FormatException syntax(JacksonException e, String where, long line, String remedy) {
    String reason = reason(e);
    boolean placed = e.getLocation() != null && e.getLocation().getColumnNr() > 0;
    String place = where + ":" + line + (placed ? ":" + e.getLocation().getColumnNr() : "");
    if (e instanceof StreamReadException && reason.startsWith("Duplicate")) {
      return new Place(place).refuse(
          Kind.DUPLICATE_KEY, "a key stands twice in one object", "every key once", reason, e);
    }
    Kind kind = e instanceof StreamConstraintsException ? Kind.TOO_LARGE : Kind.JSON_SYNTAX;
    return new FormatException(
        kind, place, "this is not JSON that Lethe reads", null, reason, remedy, e);
  }

  /** The library's reason without what it quotes of the text and without places that it cannot tell. */
  private static String reason(JacksonException e) {
    String reason = e.getOriginalMessage().lines().findFirst().orElse("unreadable");
    if (reason.startsWith("Unrecognized token")) {
      return "a word without quotation marks";
    }
    if (reason.startsWith("Non-standard token")) {
      return "NaN or an infinity, which JSON does not have (null says that there is no number)";
    }
    if (reason.contains("comment")) {
      return "a comment, which JSON does not have";
    }
    if (reason.startsWith("Unexpected end-of-input")) {
      return "an end before the value is complete";
    }
    int place = reason.indexOf(" (start marker");
    return place < 0 ? reason : reason.substring(0, place);
  }

  private static FormatException numberTooLarge(String where, NumberFormatException e) {
    return new FormatException(
        Kind.OUT_OF_RANGE,
        where,
        "a number's exponent is beyond every number format",
        "a number that a double can hold",
        null,
        "Correct the file",
        e);
  }

  /** What kind of value stands in a row of data, without what it says. */
  public static String shape(JsonNode node) {
    if (node.isString()) {
      int length = node.asString().length();
      return Text.format("a text of %,d character%s", length, length == 1 ? "" : "s");
    }
    return node.isNumber() ? "a number" : describe(node);
  }

  /** A value as it stands in a file that people configure; of lists and objects, their sizes. */
  public static String describe(JsonNode node) {
    if (node.isValueNode()) {
      return Text.shorten(node.toString(), SHOWN);
    }
    return (node.isArray() ? "an array of " : "an object of ") + node.size() + (node.size() == 1 ? " entry" : " entries");
  }

  /** All bytes of a file of at most {@code maxBytes}. */
  public static byte[] readBytes(Path file, long maxBytes) {
    try {
      if (!Files.isRegularFile(file)) {
        throw Place.of(file).refuse(
            Kind.FILE_MISSING, "there is no such file", "a regular file",
            Files.exists(file) ? "something else" : "nothing");
      }
      try (InputStream head = Files.newInputStream(file)) {
        ByteBuffer first = ByteBuffer.wrap(head.readNBytes(ForeignFile.HEAD));
        ForeignFile.refuse(file, first, null, "JSON in UTF-8");
      }
      long size = Files.size(file);
      if (size > maxBytes) {
        throw Place.of(file).refuse(
            Kind.TOO_LARGE, "the file is too large for what it is", "at most " + maxBytes + " bytes",
            size + " bytes");
      }
      return Files.readAllBytes(file);
    } catch (IOException e) {
      throw unreadable(file, e);
    }
  }

  public static FormatException unreadable(Path file, IOException e) {
    return Place.of(file).refuse(
        Kind.UNREADABLE, "the system cannot read it", null, IoReason.of(e), e);
  }

  private static JsonMapper mapper() {
    StreamReadConstraints limits =
        StreamReadConstraints.builder().maxNestingDepth(MAX_DEPTH).maxNumberLength(400).build();
    JsonFactory factory =
        JsonFactory.builder()
            .streamReadConstraints(limits)
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .build();
    return JsonMapper.builder(factory)
        .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
        .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
        .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
        .build();
  }
}
