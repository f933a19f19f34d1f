package dev.lethe.evaluate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.Encoder;
import dev.lethe.data.Row;
import dev.lethe.data.Row.InstructionRow;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.tokenizer.TokenSpans;
import dev.lethe.tokenizer.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Measures against what the model's plain logits give. */
class EvaluationTest {
  private static final int VOCABULARY = 29;

  @TempDir Path dir;
  private Backend backend;
  private TinyModels.Tiny tiny;
  private LoraAdapter adapter;
  private AdaptedModel model;
  private List<Sample> samples;

  @BeforeEach
  void open() {
    backend = Backends.select("reference", BackendOptions.DEFAULT);
    TinyModels.Dims dims = new TinyModels.Dims(1, 12, 17, 2, 1, VOCABULARY, 64, "");
    tiny = TinyModels.open(dir.resolve("model"), dims, backend, 3);
    adapter = TinyModels.adapter(tiny.model(), 2, 4, List.of("q_proj", "down_proj"), 5);
    model = new AdaptedModel(tiny.model(), adapter);
    samples = TinyModels.samples(5, VOCABULARY, 4, 9, 6);
  }

  @AfterEach
  void close() {
    adapter.close();
    tiny.close();
    backend.close();
  }

  @Test
  void rowLossesAndTheirMeans() {
    List<RowLoss> rows = Evaluation.rows(loss(), adapter.theta());
    double losses = 0;
    double logs = 0;
    long tokens = 0;
    for (int i = 0; i < samples.size(); i++) {
      double expected = 0;
      for (double[] p : predictions(samples.get(i), adapter)) {
        expected -= p[VOCABULARY];
      }
      assertEquals(expected, -rows.get(i).logProbability(), 1e-10);
      assertEquals(samples.get(i).id(), rows.get(i).id());
      losses += expected / samples.get(i).supervised();
      logs += expected;
      tokens += samples.get(i).supervised();
    }
    assertEquals(losses / samples.size(), Evaluation.mean(rows), 1e-10);
    assertEquals(Math.exp(logs / tokens), Evaluation.perplexity(rows), 1e-9);
    assertEquals(Math.exp(-rows.getFirst().loss()), rows.getFirst().probability(), 0);
  }

  @Test
  void divergenceIsTheMeanOverPositions() {
    try (LoraAdapter other =
        TinyModels.adapter(tiny.model(), 2, 4, List.of("q_proj", "down_proj"), 15)) {
      double sum = 0;
      long positions = 0;
      for (Sample sample : samples) {
        List<double[]> p = predictions(sample, adapter);
        List<double[]> q = predictions(sample, other);
        for (int t = 0; t < p.size(); t++) {
          for (int v = 0; v < VOCABULARY; v++) {
            sum += Math.exp(p.get(t)[v]) * (p.get(t)[v] - q.get(t)[v]);
          }
          positions++;
        }
      }
      for (BatchLimits limits : List.of(BatchLimits.DEFAULT, new BatchLimits(2, 100))) {
        Outputs outputs = new Outputs(model, samples, limits);
        assertEquals(
            sum / positions, outputs.divergence(adapter.theta(), other.theta()), 1e-10);
        assertEquals(0, outputs.divergence(adapter.theta(), adapter.theta()), 1e-15);
      }
    }
  }

  @Test
  void closedIsAllAtTheGoalAndNothingAtTheStart() {
    try (LoraAdapter goal =
            TinyModels.adapter(tiny.model(), 2, 4, List.of("q_proj", "down_proj"), 15);
        Scope scope = backend.openScope("half way")) {
      Outputs rows = new Outputs(model, samples, BatchLimits.DEFAULT);
      Tensor start = adapter.theta();
      RetrainDistance there = RetrainDistance.of(rows, adapter, start, goal.theta(), goal.theta());
      assertEquals(1, there.outputsClosed(), 1e-12);
      assertEquals(1, there.weightsClosed(), 1e-12);
      RetrainDistance here = RetrainDistance.of(rows, adapter, start, start, goal.theta());
      assertEquals(0, here.outputsClosed(), 1e-12);
      assertEquals(0, here.weightsClosed(), 1e-12);
      Tensor nearer = scope.allocate(backend.vectorType(), start.elements());
      backend.vectors().copy(start, nearer);
      backend.vectors().axpby(0.9, goal.theta(), 0.1, nearer);
      RetrainDistance near = RetrainDistance.of(rows, adapter, start, nearer, goal.theta());
      assertTrue(near.outputsClosed() > 0.5 && near.weightsClosed() > 0.5, near.toString());
    }
  }

  @Test
  void memorizationFollowsGreedyPredictions() {
    Sample drawn = samples.getFirst();
    int[] ids = drawn.inputIds().clone();
    int[] labels = drawn.labels().clone();
    int supervised = drawn.supervised();
    for (int t = 1; t < ids.length; t++) {
      if (labels[t] != Sample.IGNORED && t > ids.length - supervised) {
        double[] before = model.logits(Arrays.copyOf(ids, t))[t - 1];
        ids[t] = argmax(before);
        labels[t] = ids[t];
      }
    }
    Sample recited = new Sample("recited", ids, labels, "h");
    Memorization it =
        new Outputs(model, List.of(recited, drawn), BatchLimits.DEFAULT)
            .memorization(adapter.theta())
            .getFirst();
    assertTrue(it.extraction() >= 1 - 1.0 / supervised, it.toString());
    assertTrue(it.exact() >= 1 - 1.0 / supervised, it.toString());
  }

  @Test
  void twoAnswersAreRankedByTheirProbabilities() {
    Encoder encoder = new Encoder(new Letters(), null, 64);
    List<Row> rows =
        List.of(
            row("0", "ab", "c"),
            new Row.QuestionRow("1", "ba", "d"),
            new Row.PromptRow("2", "cc", "c"));
    Candidates candidates = Candidates.of(rows, "c", "d", encoder, "rows.json");
    DatasetLoss like = loss();
    List<Candidates.Scored> scores = new ArrayList<>(candidates.scores(0, 2, like, adapter.theta()));
    scores.addAll(candidates.scores(2, 3, like, adapter.theta()));
    List<Sample> yes =
        encoder.encode(
            List.of(rows.get(0), new Row.QuestionRow("1", "ba", "c"), rows.get(2)), "x");
    List<Sample> no =
        encoder.encode(
            List.of(row("0", "ab", "d"), rows.get(1), new Row.PromptRow("2", "cc", "d")), "x");
    boolean[] positive = {true, false, true};
    for (int i = 0; i < 3; i++) {
      double expected = logProbability(yes.get(i)) - logProbability(no.get(i));
      assertEquals(expected, scores.get(i).score(), 1e-10);
      assertEquals(positive[i], scores.get(i).positive());
      assertEquals(String.valueOf(i), scores.get(i).loss().id());
      Sample own = positive[i] ? yes.get(i) : no.get(i);
      assertEquals(logProbability(own), scores.get(i).loss().logProbability(), 1e-10);
    }
    double[] values = scores.stream().mapToDouble(Candidates.Scored::score).toArray();
    double above = (values[0] > values[1] ? 0.5 : 0) + (values[2] > values[1] ? 0.5 : 0);
    assertEquals(above, Candidates.auc(scores), 0);
  }

  @Test
  void rowsThatCannotBeRankedAreRefused() {
    assertNotRanked(List.of(row("7", "a", "e")), "rows.json: row '7'", "\"c\" or \"d\"", "\"e\"");
    assertNotRanked(List.of(row("7", "a", "C")), "to the letter", "\"C\"");
    assertNotRanked(
        List.of(new Row.TokenRow("8", new int[] {1, 2}, new int[] {-100, 2})),
        "row '8'",
        "without an answer of its own");
    assertNotRanked(
        List.of(row("1", "a", "d"), row("2", "b", "d")), "same answer", "2 rows with \"d\"");
  }

  private void assertNotRanked(List<Row> rows, String... says) {
    Encoder encoder = new Encoder(new Letters(), null, 64);
    LetheException e =
        assertThrows(
            LetheException.class, () -> Candidates.of(rows, "c", "d", encoder, "rows.json"));
    for (String part : says) {
      assertTrue(e.getMessage().contains(part), e.getMessage());
    }
  }

  @Test
  void truthRatiosOfTofuQuestions() throws IOException {
    Path file = dir.resolve("perturbed.json");
    Files.writeString(
        file,
        """
        {"question":"ab","answer":"c","paraphrased_answer":"cd","perturbed_answer":["d","ee"]}
        {"question":"ba","answer":"d","paraphrased_answer":"d","perturbed_answer":["c"]}
        """);
    Encoder encoder = new Encoder(new Letters(), null, 64);
    List<TofuQuestion> questions = TofuQuestion.read(file);
    List<Sample> rows = encoder.encode(List.copyOf(TofuQuestion.rows(questions)), "x");
    List<TofuQuestion.Losses> losses = TofuQuestion.losses(questions, loss().of(rows).losses(adapter.theta()));
    assertEquals(2, losses.size());
    double right = tokenLoss(encoder, "ab", "cd");
    double wrong = (tokenLoss(encoder, "ab", "d") + tokenLoss(encoder, "ab", "ee")) / 2;
    assertEquals(Math.exp(right - wrong), losses.get(0).truthRatio(), 1e-10);
    assertEquals(tokenLoss(encoder, "ab", "c"), losses.get(0).answer(), 1e-10);
    assertEquals(losses.get(1).paraphrased(), losses.get(1).answer(), 1e-15, "said in the same words");
  }

  private double tokenLoss(Encoder encoder, String question, String answer) {
    Sample sample =
        encoder.encode(List.of(new Row.QuestionRow("q", question, answer)), "x").getFirst();
    return -logProbability(sample) / sample.supervised();
  }

  private DatasetLoss loss() {
    return new DatasetLoss(model, samples, BatchLimits.DEFAULT);
  }

  private double logProbability(Sample sample) {
    return predictions(sample, adapter).stream().mapToDouble(p -> p[VOCABULARY]).sum();
  }

  /** Log-probabilities at each supervised position, and behind them that of the label. */
  private List<double[]> predictions(Sample sample, LoraAdapter with) {
    double[][] logits = new AdaptedModel(tiny.model(), with).logits(sample.inputIds());
    return IntStream.range(1, sample.length())
        .filter(t -> sample.labels()[t] != Sample.IGNORED)
        .mapToObj(t -> logSoftmax(logits[t - 1], sample.labels()[t]))
        .toList();
  }

  private static double[] logSoftmax(double[] logits, int label) {
    double sum = Arrays.stream(logits).map(Math::exp).sum();
    double[] logs = Arrays.copyOf(logits, logits.length + 1);
    for (int v = 0; v < logits.length; v++) {
      logs[v] -= Math.log(sum);
    }
    logs[logits.length] = logs[label];
    return logs;
  }

  private static int argmax(double[] values) {
    int best = 0;
    for (int i = 1; i < values.length; i++) {
      best = values[i] > values[best] ? i : best;
    }
    return best;
  }

  private static InstructionRow row(String id, String input, String output) {
    return new InstructionRow(id, "a", input, output);
  }

  /** Letters are tokens from 3; everything else is 0. */
  private static final class Letters implements Tokenizer {
    @Override
    public int[] encode(String text, boolean addSpecialTokens) {
      return text.chars().map(c -> c >= 'a' && c <= 'z' ? c - 'a' + 3 : 0).limit(20).toArray();
    }

    @Override
    public TokenSpans spans(String text) {
      int[] ids = encode(text, false);
      int[] starts = IntStream.range(0, ids.length).toArray();
      return new TokenSpans(ids, starts, IntStream.rangeClosed(1, ids.length).toArray());
    }

    @Override
    public String decode(int[] ids) {
      throw new UnsupportedOperationException();
    }

    @Override
    public int bosId() {
      return 1;
    }

    @Override
    public int eosId() {
      return 2;
    }

    @Override
    public int vocabSize() {
      return VOCABULARY;
    }

    @Override
    public void close() {}
  }
}
