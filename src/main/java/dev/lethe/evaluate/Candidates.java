package dev.lethe.evaluate;

import dev.lethe.LetheException;
import dev.lethe.data.Encoder;
import dev.lethe.data.Sample;
import dev.lethe.format.Row;
import dev.lethe.format.Row.InstructionRow;
import dev.lethe.influence.DatasetLoss;
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
   * @param rows all of the form instruction, input, output, each output one of the two answers
   * @param where the file they come from, for messages
   */
  public static Candidates of(
      List<Row> rows, String yes, String no, Encoder encoder, String where) {
    List<Row> yesRows = new ArrayList<>();
    List<Row> noRows = new ArrayList<>();
    boolean[] labels = new boolean[rows.size()];
    for (int i = 0; i < labels.length; i++) {
      if (!(rows.get(i) instanceof InstructionRow row)
          || !(row.output().equals(yes) || row.output().equals(no))) {
        throw new LetheException(
            where + ": row '" + rows.get(i).id() + "'",
            "it has not one of the two answers",
            "an instruction row with the output \"%s\" or \"%s\"".formatted(yes, no),
            "another row",
            "Use rows of yes and no only, or name their two answers.");
      }
      labels[i] = row.output().equals(yes);
      yesRows.add(new InstructionRow(row.id(), row.instruction(), row.input(), yes));
      noRows.add(new InstructionRow(row.id(), row.instruction(), row.input(), no));
    }
    return new Candidates(encoder.encode(yesRows, where), encoder.encode(noRows, where), labels);
  }

  /** The score of every row. */
  public double[] scores(DatasetLoss like, Tensor theta) {
    List<RowLoss> yes = Evaluation.rows(like.of(positive), theta);
    List<RowLoss> no = Evaluation.rows(like.of(negative), theta);
    double[] scores = new double[labels.length];
    for (int i = 0; i < scores.length; i++) {
      scores[i] = yes.get(i).logProbability() - no.get(i).logProbability();
    }
    return scores;
  }

  /** How well the scores rank positive rows above negative ones. */
  public double auc(DatasetLoss like, Tensor theta) {
    return Auc.of(scores(like, theta), labels);
  }
}
