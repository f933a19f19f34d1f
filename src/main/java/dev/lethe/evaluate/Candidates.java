package dev.lethe.evaluate;

import dev.lethe.ArgumentException;
import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.Encoder;
import dev.lethe.data.Row.InstructionRow;
import dev.lethe.data.Row.PromptRow;
import dev.lethe.data.Row.QuestionRow;
import dev.lethe.data.Row;
import dev.lethe.data.Sample;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * Rows with two possible answers, scored by log p(positive) − log p(negative) as TALLRec does
 * (arXiv 2305.00447): the difference of the whole answers, end token included.
 */
public final class Candidates {
  private final List<Sample> positive;
  private final List<Sample> negative;
  private final boolean[] labels;

  private Candidates(List<Sample> positive, List<Sample> negative, boolean[] labels) {
    this.positive = positive;
    this.negative = negative;
    this.labels = labels;
  }

  /**
   * A row's score and what it should be.
   *
   * @param loss the loss of the row's own answer
   * @param score log p(positive) − log p(negative), in nats
   * @param positive whether the row's own answer is the positive one
   */
  public record Scored(RowLoss loss, double score, boolean positive) {}

  /**
   * Reads each row with both answers.
   *
   * @param rows of text with one response each, each response one of the two answers, both occurring
   * @param where the file they come from, for messages
   */
  public static Candidates of(
      List<Row> rows, String yes, String no, Encoder encoder, String where) {
    List<Row> yesRows = new ArrayList<>();
    List<Row> noRows = new ArrayList<>();
    boolean[] labels = new boolean[rows.size()];
    int positives = 0;
    for (int i = 0; i < labels.length; i++) {
      Row row = rows.get(i);
      String answer = requireAnswer(row, yes, no, where);
      labels[i] = answer.equals(yes);
      positives += labels[i] ? 1 : 0;
      yesRows.add(withResponse(row, yes));
      noRows.add(withResponse(row, no));
    }
    if (positives == 0 || positives == labels.length) {
      throw new LetheException(
          where, "all rows have the same answer, so there is nothing to rank",
          Text.format("at least one row with \"%s\" and one with \"%s\"", yes, no),
          Text.format("%d rows with \"%s\"", labels.length, positives == 0 ? no : yes),
          "Use rows of both answers, or evaluate without naming answers.");
    }
    return new Candidates(encoder.encode(yesRows, where), encoder.encode(noRows, where), labels);
  }

  private static String requireAnswer(Row row, String yes, String no, String where) {
    String answer = response(row);
    if (!yes.equals(answer) && !no.equals(answer)) {
      throw new LetheException(
          where + ": row '" + row.id() + "'",
          "its answer is not one of the two",
          Text.format("\"%s\" or \"%s\"", yes, no),
          answer == null ? "a row without an answer of its own" : excerpt(answer),
          "Name the two answers to the letter, or use other rows.");
    }
    return answer;
  }

  private static String excerpt(String answer) {
    return answer.length() <= 40 ? '"' + answer + '"' : '"' + answer.substring(0, 40) + "…\"";
  }

  /** The supervised text, or null where the form has not exactly one. */
  private static String response(Row row) {
    return switch (row) {
      case InstructionRow r -> r.output();
      case PromptRow r -> r.response();
      case QuestionRow r -> r.answer();
      default -> null;
    };
  }

  private static Row withResponse(Row row, String response) {
    return switch (row) {
      case InstructionRow r -> new InstructionRow(r.id(), r.instruction(), r.input(), response);
      case PromptRow r -> new PromptRow(r.id(), r.prompt(), response);
      case QuestionRow r -> new QuestionRow(r.id(), r.question(), response);
      default -> throw new ArgumentException("row '" + row.id() + "' has no response");
    };
  }

  /** Number of rows. */
  public int size() {
    return labels.length;
  }

  /**
   * The scores of consecutive rows: two forwards.
   *
   * @param like the model and its limits
   * @param theta adapter parameters (P)
   */
  public List<Scored> scores(int from, int to, DatasetLoss like, Tensor theta) {
    List<RowLoss> yes = Evaluation.rows(like.of(positive.subList(from, to)), theta);
    List<RowLoss> no = Evaluation.rows(like.of(negative.subList(from, to)), theta);
    List<Scored> scores = new ArrayList<>(to - from);
    for (int i = 0; i < to - from; i++) {
      boolean label = labels[from + i];
      double score = yes.get(i).logProbability() - no.get(i).logProbability();
      scores.add(new Scored(label ? yes.get(i) : no.get(i), score, label));
    }
    return scores;
  }

  /** How well scores rank positive rows above negative ones: the area under the ROC curve. */
  public static double auc(List<Scored> rows) {
    boolean[] positive = new boolean[rows.size()];
    for (int i = 0; i < positive.length; i++) {
      positive[i] = rows.get(i).positive();
    }
    return Auc.of(rows.stream().mapToDouble(Scored::score).toArray(), positive);
  }
}
