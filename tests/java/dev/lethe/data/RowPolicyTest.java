package dev.lethe.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.data.Row.InstructionRow;
import dev.lethe.data.Row.Message;
import dev.lethe.data.Row.MessagesRow;
import dev.lethe.data.Row.TokenRow;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every field of a row is used, harmless, named or refused. */
class RowPolicyTest {
  private static final String MASKED =
      "{\"input_ids\": [2,2,1,5,6,2], \"labels\": [-100,-100,-100,5,6,-100], \"attention_mask\": %s}";

  @TempDir Path temp;

  @Test
  void theDocumentedTableIsTheOneInTheCode() throws IOException {
    String page = Files.readString(Path.of("docs/formats.md"));
    String section = page.substring(page.indexOf("## Data rows"), page.indexOf("## Tokenizers"));
    List<String> there = section.lines().filter(line -> line.startsWith("| `")).toList();
    assertEquals(String.join("\n", FieldPolicy.table()), String.join("\n", there));
  }

  @Test
  void paddingIsCutOff() throws IOException {
    Dataset both = open(MASKED.formatted("[0,0,1,1,1,0]"));
    TokenRow row = (TokenRow) both.rows().getFirst();
    assertArrayEquals(new int[] {1, 5, 6}, row.inputIds());
    assertArrayEquals(new int[] {-100, 5, 6}, row.labels());
    assertEquals(List.of(both.file() + ": padding is cut off (1 row)"), both.notes());
    TokenRow whole = (TokenRow) open(MASKED.formatted("[1,1,1,1,1,1]")).rows().getFirst();
    assertEquals(6, whole.inputIds().length);
    TokenRow flags = (TokenRow) open(MASKED.formatted("[false,false,true,true,true,true]")).rows().getFirst();
    assertEquals(4, flags.inputIds().length);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "[1,1,0,1,1,1]", "[1,1,1,2,2,2]", "[0,0,0,0,0,0]", "[0,0,0,1,1,1]", "[1,1,1,1,0,0]", "[1,1]", "[0.5,1,1,1,1,1]",
        "\"111111\"", "[[1,1,1,1,1,1]]", "[true,true,1,1,1,1]"
      })
  void anotherMaskIsRefused(String mask) throws IOException {
    FormatException e = refused(MASKED.formatted(mask));
    assertTrue(e.getMessage().contains("attention_mask") || e.getMessage().contains("labels"), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "\"position_ids\": [0,1,2]|true",
        "\"position_ids\": [1,2,3]|false",
        "\"position_ids\": [0,1,0]|false",
        "\"token_type_ids\": [1,1,1]|false",
        "\"token_type_ids\": [0,0,1]|false",
        "\"segment_ids\": [1,1,1]|true",
        "\"segment_ids\": [1,1,2]|false",
        "\"cu_seqlens\": [0,3]|false",
        "\"loss_mask\": [0,1,1]|true",
        "\"completion_mask\": [0,0,1]|false",
        "\"assistant_masks\": [false,true,true]|true",
        "\"special_tokens_mask\": [1,0,0]|true",
        "\"length\": 3|true",
        "\"inputs_embeds\": [[0.5]]|false",
        "\"weight\": 1|true",
        "\"weight\": 0.5|false",
        "\"train\": false|false",
        "\"token_weights\": [1,1.0,true]|true",
        "\"loss_weights\": [0,1,0.5]|false",
        "\"label_mask\": [0,1,0]|false",
        "\"cu_seqlens_q\": [0,1,3]|false"
      })
  void columnsBesideTokensAgreeOrAreRefused(String column, boolean accepted) throws IOException {
    String row = "{\"input_ids\": [1,5,6], \"labels\": [-100,5,6], " + column + "}";
    if (accepted) {
      Dataset data = open(row);
      assertEquals(3, ((TokenRow) data.rows().getFirst()).inputIds().length);
      assertEquals(List.of(), data.notes());
    } else {
      String name = column.substring(1, column.indexOf('"', 1));
      FormatException e = refused(row);
      assertEquals(Kind.UNSUPPORTED, e.kind());
      assertTrue(e.getMessage().contains(name), e.getMessage());
    }
  }

  @Test
  void whatAPartOfAMessageSaysBesideItsTextIsNamed() throws IOException {
    Dataset data =
        open(
            "{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"text\", \"text\": \"u\","
                + " \"cache_control\": {\"type\": \"ephemeral\"}}]}, {\"role\": \"assistant\", \"content\": \"a\"}]}");
    assertEquals(
        List.of(data.file() + ": fields that are not used: 'messages[].content[].cache_control' (1 row)"), data.notes());
  }

  @Test
  void aFieldThatIsNullIsCalledNull() throws IOException {
    assertTrue(refused("{\"instruction\": \"i\", \"output\": null}").getMessage().contains("'output', got null"));
  }

  @Test
  void tokenTypesOfZeroAreNamed() throws IOException {
    Dataset data = open("{\"input_ids\": [1,5], \"labels\": [-100,5], \"token_type_ids\": [0,0]}");
    assertEquals(List.of(data.file() + ": fields that are not used: 'token_type_ids' (1 row)"), data.notes());
  }

  @Test
  void aColumnThatIsMappedIsNotReadUnderItsOwnNameToo() throws IOException {
    Path file = write("{\"system\": \"p\", \"input\": \"r\", \"instruction\": \"i\", \"output\": \"o\"}");
    assertEquals(
        new Row.PromptRow("0", "p", "r"),
        DatasetReader.open(file, Map.of("prompt", "system", "response", "input", "id", "x", "output", "none"), false, false)
            .rows()
            .getFirst());
    assertEquals(
        new InstructionRow("0", "i", "", "r"),
        DatasetReader.open(file, Map.of("output", "input", "system", "none"), false, false).rows().getFirst());
  }

  @Test
  void turnsThatAreMarkedAreNotSupervised() throws IOException {
    String row =
        """
        {"messages": [{"role": "user", "content": "u", "weight": 0}, {"role": "assistant", "content": "a", "MARK"},\
         {"role": "assistant", "content": "b", "weight": 1}]}""";
    for (String mark : List.of("weight\": 0", "weight\": 0.0", "train\": false", "training\": false", "loss\": 0")) {
      MessagesRow read = (MessagesRow) open(row.replace("MARK\"", mark)).rows().getFirst();
      assertEquals(
          List.of(false, false, true), read.messages().stream().map(Message::supervised).toList());
      assertNotEquals(
          DatasetReader.sha256(read),
          DatasetReader.sha256(open(row.replace(", \"MARK\"", "")).rows().getFirst()));
    }
    for (String mark : List.of("weight\": 0.5", "weight\": \"1\"", "weight\": 2", "train_detail\": [1]")) {
      assertEquals(Kind.UNSUPPORTED, refused(row.replace("MARK\"", mark)).kind());
    }
    refused(row.replace("MARK\"", "weight\": 1, \"train\": false"));
    refused("{\"messages\": [{\"role\": \"user\", \"content\": \"u\", \"train\": true}]}");
  }

  @Test
  void anUnsupervisedTurnIsStillSaidAndEnded() {
    Row row =
        new MessagesRow(
            "0",
            List.of(
                new Message("user", "u"),
                new Message("assistant", "a", false),
                new Message("user", "v"),
                new Message("assistant", "b")));
    assertEquals(
        List.of(
            new PromptTemplate.Piece("User: u\n\nAssistant:", false),
            new PromptTemplate.Piece(" a", false, true),
            new PromptTemplate.Piece("User: v\n\nAssistant:", false),
            new PromptTemplate.Piece(" b", true)),
        PromptTemplate.CHAT.pieces(row));
  }

  @Test
  void shareGptSaysTheSameInOtherWords() throws IOException {
    List<Message> expected =
        List.of(new Message("system", "s"), new Message("user", "u"), new Message("assistant", "a"));
    for (String row :
        List.of(
            "{\"messages\": [{\"role\": \"system\", \"content\": \"s\"}, {\"role\": \"user\", \"content\": \"u\"},"
                + " {\"role\": \"assistant\", \"content\": \"a\"}]}",
            "{\"conversations\": [{\"from\": \"system\", \"value\": \"s\"}, {\"from\": \"human\", \"value\": \"u\"},"
                + " {\"from\": \"gpt\", \"value\": \"a\"}]}",
            "{\"system\": \"s\", \"conversations\": [{\"from\": \"human\", \"value\": \"u\"},"
                + " {\"from\": \"gpt\", \"value\": \"a\"}], \"tools\": \"\"}",
            "{\"messages\": [{\"role\": \"system\", \"content\": \"s\"}, {\"role\": \"user\", \"content\":"
                + " [{\"type\": \"text\", \"text\": \"u\"}]}, {\"role\": \"assistant\", \"content\": \"a\","
                + " \"tool_calls\": []}], \"tools\": []}")) {
      assertEquals(expected, ((MessagesRow) open(row).rows().getFirst()).messages(), row);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"conversations\": [{\"from\": \"function_call\", \"value\": \"f\"}]}",
        "{\"conversations\": [{\"from\": \"observation\", \"value\": \"f\"}]}",
        "{\"messages\": [{\"role\": \"tool\", \"content\": \"f\"}]}",
        "{\"messages\": [{\"role\": \"developer\", \"content\": \"f\"}]}",
        "{\"messages\": [{\"role\": \"user\", \"from\": \"gpt\", \"content\": \"f\"}]}",
        "{\"messages\": [{\"role\": \"assistant\", \"content\": \"f\", \"tool_calls\": [{\"id\": \"1\"}]}]}",
        "{\"messages\": [{\"role\": \"assistant\", \"content\": null, \"tool_calls\": [{\"id\": \"1\"}]}]}",
        "{\"messages\": [{\"role\": \"assistant\", \"content\": \"f\", \"reasoning_content\": \"t\"}]}",
        "{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image_url\", \"image_url\": {}}]}]}",
        "{\"messages\": [{\"role\": \"user\", \"content\": {\"text\": \"f\"}}]}",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"f\"}], \"tools\": [{\"name\": \"f\"}]}",
        "{\"system\": \"x\", \"messages\": [{\"role\": \"system\", \"content\": \"f\"}]}",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"f\"}], \"images\": [\"f.png\"]}",
        "{\"prompt\": \"p\", \"response\": \"r\", \"history\": [[\"a\"]]}",
        "{\"prompt\": \"p\", \"response\": \"r\", \"history\": \"earlier\"}",
        "{\"prompt\": \"p\", \"response\": \"r\", \"system\": 5}",
        "{\"prompt\": \"p\", \"response\": \"r\", \"weight\": 0}",
        "{\"messages\": [{\"role\": \"user\", \"content\": \"f\", \"mask\": true}]}",
        "{\"messages\": [{\"role\": \"assistant\", \"content\": \"f\", \"prefix\": true}]}",
        "{\"messages\": [{\"role\": \"assistant\", \"content\": [{\"type\": \"text\", \"text\": \"f\","
            + " \"weight\": 0}]}]}",
        "{\"messages\": [{\"role\": \"user\", \"content\": [\"f\"]}]}"
      })
  void whatCannotBeRenderedIsRefused(String row) throws IOException {
    FormatException e = refused(row);
    assertTrue(List.of(Kind.UNSUPPORTED, Kind.WRONG_TYPE).contains(e.kind()), e.getMessage());
  }

  @Test
  void earlierRoundsMakeAConversation() throws IOException {
    Dataset data =
        open(
            """
            {"instruction": "And now?", "input": "in", "output": "Four.", "system": "You count.", "history": \
            [["Count", "One"], ["Next", "Two"]]}
            {"instruction": "i", "input": "", "output": "o", "system": "", "history": []}""");
    assertEquals(
        new MessagesRow(
            "0",
            List.of(
                new Message("system", "You count."),
                new Message("user", "Count"),
                new Message("assistant", "One"),
                new Message("user", "Next"),
                new Message("assistant", "Two"),
                new Message("user", "And now?\nin"),
                new Message("assistant", "Four."))),
        data.rows().getFirst());
    assertEquals(new InstructionRow("1", "i", "", "o"), data.rows().get(1));
    assertEquals(List.of(data.file() + ": 'system' and 'history' make conversations (1 row)"), data.notes());
  }

  @Test
  void fieldsThatPlayNoPartAreNamedOnceWithTheirRows() throws IOException {
    Dataset data =
        open(
            """
            {"question": "q", "answer": "a", "source": "s", "score": 0.5}
            {"question": "q", "answer": "a", "source": "s", "context": "c", "note": null, "tags": []}
            {"messages": [{"role": "user", "content": "u", "name": "x"}, {"role": "user", "content": "u", "name": "x"}]}
            {"question": "q", "answer": "a", "a\\u001b[2Jb": 1}""");
    assertEquals(
        List.of(
            data.file()
                + ": fields that are not used: 'source' (2 rows), 'score' (1 row), 'context' (1 row),"
                + " 'messages[].name' (1 row), 'a\\u001B[2Jb' (1 row)"),
        data.notes());
  }

  @Test
  void mappedColumnsAreUsedAndWhatTheyReplaceIsNotNamed() throws IOException {
    Path file =
        write("{\"question\": \"q\", \"answer\": \"a\", \"asked\": \"p\", \"answers\": [\"x\", \"y\"]}");
    Dataset data =
        DatasetReader.open(file, Map.of("question", "asked", "answer", "answers"), false, false);
    assertEquals(new Row.QuestionRow("0", "p", "x"), data.rows().getFirst());
    assertEquals(List.of(file + ": of the list in 'answers' the first entry is read (1 row)"), data.notes());
  }

  private FormatException refused(String row) throws IOException {
    Path file = write(row);
    FormatException e = assertThrows(FormatException.class, () -> DatasetReader.read(file), row);
    assertTrue(e.getMessage().startsWith(file + ":1"), e.getMessage());
    return e;
  }

  private Dataset open(String text) throws IOException {
    return DatasetReader.open(write(text), Map.of(), false, false);
  }

  private Path write(String text) throws IOException {
    return Files.writeString(temp.resolve("data.jsonl"), text);
  }
}
