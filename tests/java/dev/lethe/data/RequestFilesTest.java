package dev.lethe.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RequestFilesTest {
  @TempDir Path dir;

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\'',
      value = {
        "3-6|3;4;5;6",
        "1, 3 - 4 ,9|1;3;4;9",
        "row-3,a-b,007-9|row-3;a-b;007-9",
        "two words, x|two words;x",
        "\"a, b\",c|a, b;c",
        "\"3-4\"|3-4",
        "\"say \\\"hi\\\"\" , z|say \"hi\";z",
        "[1, \"b c\", \"3-4\"]|1;b c;3-4",
        "[]|''"
      })
  void anOptionHoldsIdsRangesQuotesOrAList(String spec, String ids) {
    assertEquals(ids.isEmpty() ? List.of() : List.of(ids.split(";")), RequestFiles.ids(spec, Set.of()));
  }

  @Test
  void anIdThatTheDataHaveIsThatId() throws IOException {
    assertEquals(List.of("3-4", "5", "6"), RequestFiles.ids("3-4,5-6", Set.of("3-4", "3", "4", "5", "6")));
    assertEquals(List.of("x #1", "y"), file("x #1\ny #2\n", Set.of("x #1", "y")));
  }

  @Test
  void whatTheDataMayHaveIsLeftToThem() throws IOException {
    RequestFiles.check("10-3,1-999999999");
    assertEquals(List.of("10-3"), RequestFiles.ids("10-3", Set.of("10-3", "4")));
    assertThrows(LetheException.class, () -> RequestFiles.check("10-3,,4"));
    assertThrows(LetheException.class, () -> RequestFiles.check("\"10-3"));
  }

  @Test
  void aFileHasOneALineWithComments() throws IOException {
    String text = "# those who asked\n3-5\n  two words  # by letter\n\n\"#7\" # quoted\n\"a \\\" b\"\r\nc,d\n#x";
    assertEquals(
        List.of("3", "4", "5", "two words", "#7", "a \" b", "c,d"), file(text, Set.of()));
    assertEquals(List.of("1", "b"), file("\n[1,\n \"b\"]\n", Set.of()));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "5-3|backwards", "1-99|more ids than", "1-2,1-2|more ids than", "\"a|does not end", "\"a\" b|follows", "[1.5]|something else",
        "[{\"id\": 1}]|something else", "[1|JSON", "a,,b|between two commas"
      })
  void whatCannotBeMeantIsRefused(String spec, String words) {
    String message =
        assertThrows(LetheException.class, () -> RequestFiles.ids(spec, Set.of("1", "2"))).getMessage();
    assertTrue(message.contains(words), message);
  }

  @Test
  void aLineThatIsACommentAndAnIdIsRefusedWithItsPlace() {
    String message =
        assertThrows(LetheException.class, () -> file("a\n#7\n", Set.of("a", "#7"))).getMessage();
    assertTrue(message.contains("ids.txt:2") && message.contains("quotation marks"), message);
  }

  @ParameterizedTest
  @CsvSource(delimiter = '|', value = {"9-3|backwards", "\"x|does not end", "\"x\" y|follows"})
  void aLineThatCannotBeMeantIsNamed(String line, String words) {
    String message =
        assertThrows(LetheException.class, () -> file("a\n\n" + line + "\nb\n", Set.of("1", "2"))).getMessage();
    assertTrue(message.contains("ids.txt:3") && message.contains(words), message);
  }

  private List<String> file(String text, Set<String> known) throws IOException {
    return RequestFiles.ids("@" + Files.writeString(dir.resolve("ids.txt"), text), known);
  }
}
