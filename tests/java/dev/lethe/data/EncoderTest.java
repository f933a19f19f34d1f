package dev.lethe.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.ArgumentException;
import dev.lethe.RealData;
import dev.lethe.data.Row.Message;
import dev.lethe.data.Row.MessagesRow;
import dev.lethe.data.Row.PromptRow;
import dev.lethe.data.Row.QuestionRow;
import dev.lethe.data.Row.TokenRow;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.tokenizer.HfTokenizer;
import dev.lethe.tokenizer.TokenSpans;
import dev.lethe.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class EncoderTest {
  private static final int NONE = Sample.IGNORED;
  private static final int LIMIT = 50;

  /** A token a character, 3 above its code; 1 begins, 2 ends. */
  private static class Letters implements Tokenizer {
    private final int bosId;
    private final int eosId;

    private Letters(int bosId, int eosId) {
      this.bosId = bosId;
      this.eosId = eosId;
    }

    @Override
    public int bosId() {
      return bosId;
    }

    @Override
    public int eosId() {
      return eosId;
    }

    @Override
    public int[] encode(String text, boolean addSpecialTokens) {
      return text.chars().map(c -> c + 3).toArray();
    }

    @Override
    public TokenSpans spans(String text) {
      int[] starts = IntStream.range(0, text.length()).toArray();
      int[] ends = IntStream.rangeClosed(1, text.length()).toArray();
      return new TokenSpans(encode(text, false), starts, ends);
    }

    @Override
    public String decode(int[] ids) {
      throw new UnsupportedOperationException();
    }

    @Override
    public int vocabSize() {
      return 131;
    }

    @Override
    public void close() {}
  }

  @Test
  void promptAndResponseAreFramedAndOnlyTheResponseIsSupervised() {
    Sample s = encode(new Letters(1, 2), PromptTemplate.PLAIN, new PromptRow("x", "AB", "C"));
    assertArrayEquals(new int[] {1, 'A' + 3, 'B' + 3, 'C' + 3, 2}, s.inputIds());
    assertArrayEquals(new int[] {NONE, NONE, NONE, 'C' + 3, 2}, s.labels());
    assertEquals(2, s.supervised());
    assertEquals("x", s.id());
    assertEquals(DatasetReader.sha256(new PromptRow("", "AB", "C")), s.hash());
  }

  @Test
  void aTokenizerWithoutBeginOrEndAddsNone() {
    Sample s = encode(new Letters(-1, -1), null, new PromptRow("x", "A", "C"));
    assertArrayEquals(new int[] {'A' + 3, 'C' + 3}, s.inputIds());
    assertArrayEquals(new int[] {NONE, 'C' + 3}, s.labels());
  }

  @Test
  void everyTurnOfTheAssistantEnds() {
    Row row =
        new MessagesRow(
            "x",
            List.of(
                new Message("user", "A"),
                new Message("assistant", "B"),
                new Message("user", "C"),
                new Message("assistant", "D")));
    Sample s = encode(new Letters(1, 2), null, row);
    assertEquals(6, s.supervised());
    assertEquals(2, java.util.Arrays.stream(s.labels()).filter(t -> t == 2).count());
  }

  @Test
  void tokensAreTakenAsTheyAreAndTheFirstPositionNeverCounts() {
    Row row = new TokenRow("t", new int[] {5, 6, 7}, new int[] {5, NONE, 7});
    Sample s = encode(null, null, row);
    assertArrayEquals(new int[] {5, 6, 7}, s.inputIds());
    assertEquals(1, s.supervised());
  }

  @Test
  void whatCannotBeASampleIsNamed() {
    Tokenizer letters = new Letters(1, 2);
    refuse(Kind.NO_SUPERVISION, letters, new PromptRow("r1", "A", ""));
    refuse(Kind.NO_SUPERVISION, letters, new QuestionRow("r1", "A", ""));
    refuse(Kind.NO_SUPERVISION, letters, new MessagesRow("r1", List.of(new Message("user", "A"))));
    refuse(Kind.NO_SUPERVISION, null, new TokenRow("r1", new int[] {1, 2}, new int[] {1, NONE}));
    refuse(Kind.NO_SUPERVISION, null, new TokenRow("r1", new int[0], new int[0]));
    refuse(Kind.TOO_LONG, letters, new PromptRow("r1", "A".repeat(LIMIT - 2), "B"));
    refuse(Kind.TOKEN_RANGE, letters, new PromptRow("r1", "\u0080", "B"));
    refuse(Kind.TOKEN_RANGE, letters, new TokenRow("r1", new int[] {1, 131}, new int[] {1, 1}));
    refuse(Kind.TOKEN_RANGE, letters, new TokenRow("r1", new int[] {1, -1}, new int[] {1, 1}));
    refuse(Kind.TOKEN_RANGE, letters, new TokenRow("r1", new int[] {1, 1}, new int[] {1, 131}));
    refuse(Kind.TOKEN_RANGE, letters, new TokenRow("r1", new int[] {1, 1}, new int[] {1, -99}));
    refuse(Kind.CANNOT_ENCODE, null, new PromptRow("r1", "A", "B"));
    encode(letters, null, new PromptRow("r1", "A".repeat(LIMIT - 4), "BC"));
  }

  @Test
  void theModelsVocabularyBoundsTheIds() {
    Encoder encoder = new Encoder(new Letters(1, 2), null, 20, 71);
    Row row = new PromptRow("r1", "A", "C");
    assertEquals(4, encoder.encode(List.of(row), "f").getFirst().length());
    Row beyond = new PromptRow("r1", "A", "D");
    assertThrows(FormatException.class, () -> encoder.encode(List.of(beyond), "f"));
  }

  @Test
  void complaintsNeverRepeatTheText() {
    Row secret = new PromptRow("r1", "secret ".repeat(LIMIT), "B");
    FormatException e =
        assertThrows(
            FormatException.class, () -> encode(new Letters(1, 2), PromptTemplate.PLAIN, secret));
    assertFalse(e.getMessage().contains("secret"), e.getMessage());
    Sample sample = encode(new Letters(1, 2), null, new PromptRow("r1", "secret", "B"));
    assertFalse(sample.toString().contains("secret"), sample.toString());
  }

  @Test
  void tokensAreThoseOfTheWholeTextWhereATokenEndsBetweenPromptAndResponse() {
    try (HfTokenizer tokenizer = HfTokenizer.open(Path.of("tests", "resources", "tokenizers", "llama2"))) {
      Encoder encoder = new Encoder(tokenizer, PromptTemplate.PLAIN, 200);
      Sample whole = encoder.encode(List.of(new PromptRow("x", "Hello,", " world")), "f").getFirst();
      assertArrayEquals(withEnd(tokenizer, tokenizer.encode("Hello, world", true)), whole.inputIds());
      assertEquals(List.of(), encoder.notes());
    }
  }

  @Test
  void manyRowsKeepTheirOrderAndTheFirstThatCannotBeASampleIsRefused() {
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < 1000; i++) {
      rows.add(new PromptRow("r" + i, "a".repeat(i % 7 + 1), "b"));
    }
    Encoder encoder = new Encoder(new Letters(1, 2), PromptTemplate.PLAIN, 200);
    List<Sample> samples = encoder.encode(rows, "f");
    for (int i = 0; i < rows.size(); i++) {
      assertEquals("r" + i, samples.get(i).id());
      assertEquals(i % 7 + 4, samples.get(i).length());
    }
    for (int bad : new int[] {900, 300, 600}) {
      rows.set(bad, new PromptRow("r" + bad, "a", ""));
    }
    FormatException refusal =
        assertThrows(FormatException.class, () -> encoder.encode(rows, "f"));
    assertTrue(refusal.getMessage().contains("'r300'"), refusal.getMessage());
  }

  @Test
  void rowsOfWhichATokenReachesOverThatPlaceAreNamed() {
    try (HfTokenizer tokenizer = HfTokenizer.open(Path.of("tests", "resources", "tokenizers", "qwen3"))) {
      Encoder encoder = new Encoder(tokenizer, PromptTemplate.PLAIN, 200);
      List<Row> rows =
          List.of(new PromptRow("over", "Hel", "lo"), new PromptRow("edge", "Hello", " world"));
      List<Sample> samples = encoder.encode(rows, "f.jsonl");
      int[] apart =
          IntStream.concat(
                  IntStream.of(tokenizer.encode("Hel", false)),
                  IntStream.of(tokenizer.encode("lo", false)))
              .toArray();
      assertArrayEquals(withEnd(tokenizer, apart), samples.getFirst().inputIds());
      assertEquals(1, encoder.notes().size());
      String note = encoder.notes().getFirst();
      assertTrue(note.startsWith("f.jsonl: in 1 of 2 rows") && note.endsWith("'over'"), note);
    }
  }

  @Test
  void rowsThatSpellSpecialTokensAreTokenisedPieceByPieceAndNamed() {
    try (HfTokenizer tokenizer = HfTokenizer.open(Path.of("tests", "resources", "tiny_tokenizer"))) {
      Encoder encoder = new Encoder(tokenizer, PromptTemplate.PLAIN, 200);
      Row row = new PromptRow("s", "a</s> b", " c");
      int[] ids = encoder.encode(List.of(row), "f").getFirst().inputIds();
      int[] apart =
          IntStream.concat(
                  IntStream.of(tokenizer.encode("a</s> b", true)),
                  IntStream.of(tokenizer.encode(" c", false)))
              .toArray();
      assertArrayEquals(withEnd(tokenizer, apart), ids);
      assertTrue(encoder.notes().getFirst().contains("special tokens"));
    }
  }

  @Test
  void anEndThatTheTokenizerAddsIsNotDoubled() {
    Tokenizer ending =
        new Letters(1, 2) {
          @Override
          public int[] after() {
            return new int[] {2};
          }
        };
    Sample s = encode(ending, PromptTemplate.PLAIN, new PromptRow("x", "A", "C"));
    assertArrayEquals(new int[] {1, 'A' + 3, 'C' + 3, 2}, s.inputIds());
    assertArrayEquals(new int[] {NONE, NONE, 'C' + 3, 2}, s.labels());
  }

  @Test
  void onlyTheLastTurnIsLearnedWhereThatIsAsked() {
    Row row =
        new MessagesRow(
            "x",
            List.of(
                new Message("user", "A"),
                new Message("assistant", "B"),
                new Message("user", "C"),
                new Message("assistant", "D")));
    PromptForm last = PromptForm.fixed(null, PromptForm.Supervise.LAST);
    Sample s = Encoder.of(new Letters(1, 2), last, LIMIT, 131).encode(List.of(row), "f").getFirst();
    assertEquals(3, s.supervised());
  }

  private static int[] withEnd(Tokenizer tokenizer, int[] ids) {
    return IntStream.concat(IntStream.of(ids), IntStream.of(tokenizer.eosId())).toArray();
  }

  @Test
  void batchesAreFullInOrderAndWhole() {
    List<Sample> samples =
        List.of(sample("a", 4), sample("b", 5), sample("c", 1), sample("d", 30), sample("e", 2));
    assertEquals(List.of(List.of("a", "b", "c"), List.of("d"), List.of("e")), ids(samples, 10, 10));
    assertEquals(
        List.of(List.of("a", "b"), List.of("c", "d"), List.of("e")), ids(samples, 2, 1000));
    assertEquals(5, Batches.split(samples, 100, 1).size());
    assertEquals(List.of(), Batches.split(List.of(), 1, 1));
    assertThrows(ArgumentException.class, () -> Batches.split(samples, 0, 1));
  }

  @Test
  void realRowsFitARealModel() {
    Path data = RealData.require("stories260K").getParent();
    try (HfTokenizer tokenizer = HfTokenizer.open(data.resolve("stories260K"))) {
      List<Row> tofu = DatasetReader.read(data.resolve("tofu/full.json"));
      List<Sample> samples = new Encoder(tokenizer, null, 512).encode(tofu, "full.json");
      assertEquals(4000, samples.size());
      for (Sample s : samples) {
        assertEquals(1, s.inputIds()[0]);
        assertEquals(2, s.labels()[s.length() - 1]);
      }
      List<Row> movies = DatasetReader.read(data.resolve("tallrec/movie_valid.json"));
      List<Sample> plain =
          new Encoder(tokenizer, PromptTemplate.PLAIN, 512).encode(movies, "movie_valid.json");
      assertEquals(364, plain.stream().mapToInt(Sample::length).average().orElseThrow(), 20);
      assertThrows(
          FormatException.class,
          () -> new Encoder(tokenizer, PromptTemplate.ALPACA, 512).encode(movies, "movies"));
    }
  }

  private static Sample encode(Tokenizer tokenizer, PromptTemplate template, Row row) {
    return new Encoder(tokenizer, template, LIMIT).encode(List.of(row), "data.jsonl").getFirst();
  }

  private static void refuse(Kind kind, Tokenizer tokenizer, Row row) {
    FormatException e = assertThrows(FormatException.class, () -> encode(tokenizer, null, row));
    assertEquals(kind, e.kind(), e.getMessage());
    assertTrue(e.getMessage().startsWith("data.jsonl: row 'r1'"), e.getMessage());
  }

  private static List<List<String>> ids(List<Sample> samples, int maxSamples, long maxTokens) {
    return Batches.split(samples, maxSamples, maxTokens).stream()
        .map(batch -> batch.stream().map(Sample::id).toList())
        .toList();
  }

  private static Sample sample(String id, int length) {
    return new Sample(id, new int[length], new int[length], "");
  }
}
