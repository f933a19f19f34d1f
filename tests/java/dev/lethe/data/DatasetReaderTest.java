package dev.lethe.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.RealData;
import dev.lethe.data.Row.InstructionRow;
import dev.lethe.data.Row.Message;
import dev.lethe.data.Row.MessagesRow;
import dev.lethe.data.Row.PromptRow;
import dev.lethe.data.Row.QuestionRow;
import dev.lethe.data.Row.TokenRow;
import dev.lethe.format.Refusals;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DatasetReaderTest {
  @TempDir Path temp;

  @Test
  void everyFormIsRead() throws IOException {
    List<Row> rows =
        read(
            """
            {"instruction": "i", "input": "in", "output": "o"}
            {"instruction": "i", "output": "o"}
            {"prompt": "p", "response": "r"}
            {"question": "q", "answer": "a", "id": "named"}
            {"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "c"}]}
            {"input_ids": [1, 2, 3], "labels": [-100, 2, 3], "id": 77}
            """);
    assertEquals(new InstructionRow("0", "i", "in", "o"), rows.get(0));
    assertEquals(new InstructionRow("1", "i", "", "o"), rows.get(1));
    assertEquals(new PromptRow("2", "p", "r"), rows.get(2));
    assertEquals(new QuestionRow("named", "q", "a"), rows.get(3));
    assertEquals(
        new MessagesRow("4", List.of(new Message("user", "u"), new Message("assistant", "c"))),
        rows.get(4));
    assertArrayEquals(new int[] {-100, 2, 3}, ((TokenRow) rows.get(5)).labels());
    assertEquals("77", rows.get(5).id());
  }

  @Test
  void linesAndArraysSayTheSame() throws IOException {
    String a = "{\"prompt\": \"p\", \"response\": \"r\"}";
    String b = "{\"question\": \"q\", \"answer\": \"a\"}";
    List<Row> expected = read(a + "\n" + b);
    assertEquals(expected, read("[" + a + ", \n" + b + "]\n"));
    assertEquals(expected, read("\uFEFF" + a + "\r\n\r\n   \n" + b + "\r\n"));
    assertEquals(expected, read("\uFEFF \n[" + a + "," + b + "]"));
    assertEquals(expected, read(a + "\n" + b + "\n\n\n"));
  }

  @Test
  void aLineSeparatorWithinATextIsNoEndOfLine() throws IOException {
    List<Row> rows = read("{\"prompt\": \"a\u2028b\u0085c\", \"response\": \"r\"}");
    assertEquals(new PromptRow("0", "a\u2028b\u0085c", "r"), rows.getFirst());
  }

  @Test
  void fieldsCanBeMappedAndListsGiveTheirFirstEntry() throws IOException {
    String text =
        """
        {"question": "q", "answer": "a", "paraphrased_question": "pq", "perturbed_answer": ["x", "y"]}
        """;
    Path file = write(text);
    assertEquals(
        new QuestionRow("0", "pq", "x"),
        DatasetReader.read(
                file, Map.of("question", "paraphrased_question", "answer", "perturbed_answer"))
            .getFirst());
    assertEquals(new QuestionRow("0", "q", "a"), DatasetReader.read(file).getFirst());
    Refusals.refusal(Kind.ROW_FORM, () -> DatasetReader.read(file, Map.of("qestion", "x")));
    FormatException e =
        Refusals.refusal(
            Kind.MISSING_FIELD, () -> DatasetReader.read(file, Map.of("question", "absent")));
    assertTrue(e.getMessage().contains("'absent'"), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{\"question\": \"q\"}|MISSING_FIELD|'answer'",
        "{\"question\": \"q\", \"answer\": null}|MISSING_FIELD|'answer'",
        "{\"question\": 1, \"answer\": \"a\"}|WRONG_TYPE|'question'",
        "{\"question\": \"q\", \"answer\": [\"a\"]}|WRONG_TYPE|'answer'",
        "{\"instruction\": \"i\", \"output\": \"o\", \"input\": 5}|WRONG_TYPE|'input'",
        "{\"text\": \"t\"}|ROW_FORM|text",
        "{\"question\":\"q\",\"answer\":\"a\",\"prompt\":\"p\",\"response\":\"r\"}|ROW_FORM|more"
            + " than one",
        "{\"input_ids\": [1], \"labels\": [1, 2]}|WRONG_TYPE|'labels'",
        "{\"input_ids\": [1.0], \"labels\": [1]}|WRONG_TYPE|'input_ids'",
        "{\"input_ids\": [3000000000], \"labels\": [1]}|WRONG_TYPE|'input_ids'",
        "{\"input_ids\": \"1\", \"labels\": [1]}|WRONG_TYPE|'input_ids'",
        "{\"messages\": []}|WRONG_TYPE|'messages'",
        "{\"messages\": [{\"role\": \"tool\", \"content\": \"x\"}]}|WRONG_TYPE|'messages'",
        "{\"messages\": [{\"role\": \"user\"}]}|WRONG_TYPE|'messages'",
        "{\"messages\": [5]}|WRONG_TYPE|'messages'",
        "{\"prompt\": \"p\", \"response\": \"r\", \"id\": 1.5}|WRONG_TYPE|'id'",
        "{\"prompt\": \"p\", \"response\": \"r\", \"id\": \" \"}|WRONG_TYPE|'id'",
        "{\"prompt\": \"p\", \"response\": \"r\"|JSON_SYNTAX|data.jsonl",
        "{\"prompt\": \"p\", \"prompt\": \"r\"}|DUPLICATE_KEY|prompt",
        "5|WRONG_TYPE|object",
        "[]|WRONG_TYPE|object"
      })
  void aBadRowNamesFileLineAndField(String row, Kind kind, String named) throws IOException {
    Path file = write("{\"prompt\": \"p\", \"response\": \"r\"}\n\n" + row + "\n");
    FormatException e = Refusals.refusal(kind, () -> DatasetReader.read(file));
    assertTrue(e.getMessage().startsWith(file + ":3"), e.getMessage());
    assertTrue(e.getMessage().contains(named), e.getMessage());
  }

  @Test
  void aBadRowOfAnArrayNamesItsLine() throws IOException {
    Path file = write("[\n{\"prompt\": \"p\", \"response\": \"r\"},\n\n{\"prompt\": \"p\"}\n]");
    FormatException e = Refusals.refusal(Kind.MISSING_FIELD, () -> DatasetReader.read(file));
    assertTrue(e.getMessage().startsWith(file + ":4:"), e.getMessage());
    Path cut = write("[\n{\"prompt\": \"p\", \"response\": \"r\"},\n");
    Refusals.refusal(Kind.JSON_SYNTAX, () -> DatasetReader.read(cut));
    Path more = write("[{\"prompt\": \"p\", \"response\": \"r\"}]\n{}");
    Refusals.refusal(Kind.JSON_SYNTAX, () -> DatasetReader.read(more));
  }

  @Test
  void twoRowsOnOneLineAreRefused() throws IOException {
    String row = "{\"prompt\": \"p\", \"response\": \"r\"}";
    Path file = write(row + "\n" + row + row);
    FormatException e = Refusals.refusal(Kind.JSON_SYNTAX, () -> DatasetReader.read(file));
    assertTrue(e.getMessage().startsWith(file + ":2"), e.getMessage());
  }

  @Test
  void allBadRowsAreNamedAtOnceOrSkipped() throws IOException {
    String good = "{\"prompt\": \"p\", \"response\": \"r\"}";
    String text = good + "\n{\"prompt\": 1, \"response\": \"r\"}\nno JSON\n\n" + good + "\n{\"prompt\": \"\u00e4\n" + good;
    Path file = temp.resolve("mixed.jsonl");
    Files.write(file, text.getBytes(StandardCharsets.ISO_8859_1));
    FormatException e = Refusals.refusal(Kind.WRONG_TYPE, () -> DatasetReader.read(file));
    List<String> lines = e.getMessage().lines().toList();
    assertEquals(file + ": 3 of 6 rows cannot be used:", lines.getFirst());
    assertTrue(lines.get(1).startsWith("  " + file + ":2: field 'prompt'"), e.getMessage());
    assertTrue(lines.get(2).startsWith("  " + file + ":3:1: "), e.getMessage());
    assertTrue(lines.get(3).startsWith("  " + file + ":6: the text is not UTF-8"), e.getMessage());
    assertTrue(lines.get(4).contains("--skip-bad-rows"), e.getMessage());
    Dataset rest = DatasetReader.open(file, Map.of(), false, true);
    assertEquals(List.of("0", "3", "5"), rest.rows().stream().map(Row::id).toList());
    assertEquals(List.of(2, 3, 6), rest.skipped());
    assertEquals(List.of(1, 5, 7), rest.lines());
    assertTrue(rest.notes().getLast().contains("3 of 6 rows cannot be used and are skipped"));
  }

  @Test
  void whereAllRowsAreBadForDifferentReasonsAllAreNamed() throws IOException {
    String rows = "{\"prompt\": 1, \"response\": \"r\"}\n{\"prompt\": \"p\", \"response\": \"r\", \"score\": NaN}\n";
    String message = Refusals.refusal(Kind.WRONG_TYPE, () -> read(rows)).getMessage();
    assertTrue(message.contains("2 of 2 rows") && message.contains(":2:") && message.contains("null says"), message);
    assertFalse(message.contains("--skip-bad-rows"), message);
  }

  @Test
  void aListOfBadRowsEnds() throws IOException {
    String rows = "{\"prompt\": \"p\", \"response\": \"r\"}\n" + "{}\n".repeat(500);
    FormatException e = Refusals.refusal(Kind.ROW_FORM, () -> read(rows));
    assertTrue(e.getMessage().contains("500 of 501 rows") && e.getMessage().contains("and 480 more"), e.getMessage());
    assertEquals(23, e.getMessage().lines().count());
    FormatException all = Refusals.refusal(Kind.ROW_FORM, () -> read("{}\n".repeat(500)));
    assertTrue(all.getMessage().contains(":1: ") && !all.getMessage().contains(":2: "), all.getMessage());
  }

  @Test
  void theSameIdTwiceNamesBothLines() throws IOException {
    String row = "{\"prompt\": \"p\", \"response\": \"r\", \"id\": \"%s\"}\n";
    Path file = write(row.formatted("x") + row.formatted("y") + row.formatted("x"));
    FormatException e = Refusals.refusal(Kind.DUPLICATE_ID, () -> DatasetReader.read(file));
    assertTrue(e.getMessage().contains(":3") && e.getMessage().contains("line 1"), e.getMessage());
    Path number = write(row.formatted("1") + "{\"prompt\": \"p\", \"response\": \"r\"}\n");
    Refusals.refusal(Kind.DUPLICATE_ID, () -> DatasetReader.read(number));
  }

  @Test
  void emptyFilesAndWrongEncodingsAreRefused() throws IOException {
    Refusals.refusal(Kind.NO_ROWS, () -> DatasetReader.read(write("\n \n")));
    Refusals.refusal(Kind.NO_ROWS, () -> DatasetReader.read(write("[]")));
    Refusals.refusal(Kind.FILE_MISSING, () -> DatasetReader.read(temp.resolve("no")));
    Path latin = temp.resolve("latin");
    Files.write(
        latin, "{\"prompt\": \"ä\", \"response\": \"r\"}".getBytes(StandardCharsets.ISO_8859_1));
    Refusals.refusal(Kind.ENCODING, () -> DatasetReader.read(latin));
  }

  @Test
  void theHashIsThatOfTheContentsAndOfNothingElse() {
    Set<String> hashes = new HashSet<>();
    List<Row> different =
        List.of(
            new PromptRow("0", "ab", "c"),
            new PromptRow("0", "a", "bc"),
            new QuestionRow("0", "ab", "c"),
            new InstructionRow("0", "ab", "", "c"),
            new InstructionRow("0", "ab", "c", ""),
            new TokenRow("0", new int[] {1, 2}, new int[] {3, 4}),
            new TokenRow("0", new int[] {1, 2, 3}, new int[] {4}),
            new MessagesRow("0", List.of(new Message("user", "ab"))));
    different.forEach(row -> hashes.add(DatasetReader.sha256(row)));
    assertEquals(different.size(), hashes.size());
    assertEquals(
        DatasetReader.sha256(new PromptRow("0", "p", "r")),
        DatasetReader.sha256(new PromptRow("9", "p", "r")));
    assertNotEquals("", DatasetReader.sha256(new PromptRow("0", "", "")));
  }

  @Test
  void realDataSetsHaveTheirRows() {
    Path data = RealData.require("tofu").getParent();
    assertEquals(4000, DatasetReader.read(data.resolve("tofu/full.json")).size());
    assertEquals(40, DatasetReader.read(data.resolve("tofu/forget01.json")).size());
    assertEquals(3960, DatasetReader.read(data.resolve("tofu/retain99.json")).size());
    assertEquals(1000, DatasetReader.read(data.resolve("tallrec/movie_valid.json")).size());
    assertEquals(1000, DatasetReader.read(data.resolve("tallrec/movie_test.json")).size());
    assertEquals(7473, DatasetReader.read(data.resolve("gsm8k/train.jsonl")).size());
    List<Row> perturbed =
        DatasetReader.read(
            data.resolve("tofu/forget01_perturbed.json"), Map.of("answer", "perturbed_answer"));
    assertEquals(40, perturbed.size());
    assertTrue(((QuestionRow) perturbed.getFirst()).answer().startsWith("Gregor Mendel"));
  }

  private List<Row> read(String text) throws IOException {
    return DatasetReader.read(write(text));
  }

  private Path write(String text) throws IOException {
    return Files.writeString(temp.resolve("data.jsonl"), text);
  }
}
