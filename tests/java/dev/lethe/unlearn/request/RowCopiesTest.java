package dev.lethe.unlearn.request;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.data.Dataset;
import dev.lethe.data.DatasetReader;
import dev.lethe.data.Encoder;
import dev.lethe.data.PromptTemplate;
import dev.lethe.data.Sample;
import dev.lethe.tokenizer.TokenSpans;
import dev.lethe.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RowCopiesTest {
  private static final int ROWS = 1_000_000;
  private static final int REQUESTED = 200_000;

  @TempDir Path dir;

  @Test
  void copiesAndNearCopiesAreFoundByContent() throws IOException {
    List<Sample> rows =
        read(
            """
            {"id": "a", "question": "Who is it?", "answer": "Ada Lovelace."}
            {"id": "b", "question": "Who is he?", "answer": "Alan."}
            {"id": "c", "question": "Who is it?", "answer": "Ada Lovelace."}
            {"id": "d", "prompt": "who  is it?\\n", "response": "ADA Lovelace."}
            {"id": "e", "messages": [{"role": "user", "content": "Who is it?"}, {"role": "assistant", "content": \
            "\\uff21da Lovelace."}]}
            {"id": "f", "question": "Who is it", "answer": "Ada Lovelace."}""");
    UnlearnRequest request = UnlearnRequest.of(rows, List.of("a"), List.of());
    assertEquals(Map.of("c", "a"), request.copies().exact());
    assertEquals(Map.of("d", "a", "e", "a"), request.copies().near());
    assertTrue(request.copies().sentences().getFirst().contains("'c' as 'a'"));
    UnlearnRequest exact = request.withCopies(RowCopies.Kind.EXACT);
    assertEquals(List.of("a", "c"), exact.forgetIds());
    assertEquals(Map.of(), exact.copies().exact());
    assertEquals(2, exact.copies().near().size());
    assertEquals(
        List.of("a", "c", "d", "e"), request.withCopies(RowCopies.Kind.NEAR).forgetIds());
    assertEquals(Map.of(), UnlearnRequest.of(rows, List.of("b"), List.of()).copies().near());
  }

  @Test
  void aCopyOfAReplacedRowGetsTheSameReplacement() throws IOException {
    List<Sample> rows =
        read(
            """
            {"id": "a", "question": "q", "answer": "old"}
            {"id": "b", "question": "q", "answer": "old"}""");
    Sample fresh = read("{\"id\": \"a\", \"question\": \"q\", \"answer\": \"new\"}").getFirst();
    UnlearnRequest request = UnlearnRequest.of(rows, List.of(), List.of(fresh));
    assertEquals(Map.of("b", "a"), request.copies().exact());
    assertEquals(
        List.of(fresh, fresh.named("b")), request.withCopies(RowCopies.Kind.EXACT).target());
    Sample itself = rows.getFirst();
    assertEquals(Map.of(), UnlearnRequest.of(rows, List.of(), List.of(itself)).copies().exact());
  }

  /** 200,000 of a million rows; a quadratic step would take hours. */
  @Test
  void aLargeRequestIsResolvedInTimeThatGrowsWithItsSize() {
    List<Sample> rows = new ArrayList<>(ROWS);
    List<String> ids = new ArrayList<>(REQUESTED);
    for (int i = 0; i < ROWS; i++) {
      rows.add(new Sample("row " + i, new int[] {i, i / 2, 7}, new int[] {-100, -100, 7}, "h", "l" + i));
      if (i % (ROWS / REQUESTED) == 0) {
        ids.add("row " + i);
      }
    }
    UnlearnRequest request =
        assertTimeoutPreemptively(
            Duration.ofSeconds(60),
            () -> UnlearnRequest.of(rows, ids, List.of()).withCopies(RowCopies.Kind.NEAR));
    assertEquals(REQUESTED, request.forgetIds().size());
    assertEquals(ROWS - REQUESTED, request.retained().size());
  }

  private List<Sample> read(String text) throws IOException {
    Path file = Files.writeString(dir.resolve("rows.jsonl"), text);
    Dataset data = DatasetReader.open(file, Map.of(), true, false);
    return data.encode(new Encoder(new Letters(), PromptTemplate.CHAT, 1000), false).samples();
  }

  /** A token a character. */
  private record Letters() implements Tokenizer {
    @Override
    public int[] encode(String text, boolean addSpecialTokens) {
      return text.chars().toArray();
    }

    @Override
    public TokenSpans spans(String text) {
      int[] places = IntStream.range(0, text.length()).toArray();
      return new TokenSpans(encode(text, false), places, IntStream.rangeClosed(1, text.length()).toArray());
    }

    @Override
    public String decode(int[] ids) {
      throw new UnsupportedOperationException();
    }

    @Override
    public int bosId() {
      return -1;
    }

    @Override
    public int eosId() {
      return -1;
    }

    @Override
    public int vocabSize() {
      return Character.MAX_VALUE;
    }

    @Override
    public void close() {}
  }
}
