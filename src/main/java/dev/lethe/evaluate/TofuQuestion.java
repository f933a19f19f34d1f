package dev.lethe.evaluate;

import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.DatasetReader;
import dev.lethe.data.Encoder;
import dev.lethe.data.Row;
import dev.lethe.data.Sample;
import dev.lethe.format.StrictJson;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;

/**
 * A question of TOFU's {@code *_perturbed} files.
 *
 * @param paraphrased the right answer in other words
 * @param perturbed wrong answers
 */
public record TofuQuestion(Row paraphrased, List<Row> perturbed) {
  private static final String WRONG = "perturbed_answer";

  /** The questions of a file, JSON Lines. */
  public static List<TofuQuestion> read(Path file) {
    List<Row> right = DatasetReader.read(file, Map.of("answer", "paraphrased_answer"));
    List<String> lines =
        StrictJson.readText(file, 1L << 30).lines().filter(line -> !line.isBlank()).toList();
    DatasetReader.read(file, Map.of("answer", WRONG));
    List<TofuQuestion> questions = new ArrayList<>();
    for (int i = 0; i < right.size(); i++) {
      JsonNode wrong = StrictJson.parse(lines.get(i), file + ":" + (i + 1)).get(WRONG);
      Row.QuestionRow row = (Row.QuestionRow) right.get(i);
      List<Row> rows = new ArrayList<>();
      for (JsonNode answer : wrong) {
        String id = row.id() + "." + rows.size();
        rows.add(new Row.QuestionRow(id, row.question(), answer.asString()));
      }
      questions.add(new TofuQuestion(row, rows));
    }
    return questions;
  }

  /**
   * Truth ratios of questions, in their order.
   *
   * @param like any loss of the model
   * @param theta (P)
   */
  public static double[] truthRatios(
      List<TofuQuestion> questions, Encoder encoder, DatasetLoss like, Tensor theta) {
    List<Row> rows = new ArrayList<>();
    for (TofuQuestion question : questions) {
      rows.add(question.paraphrased);
      rows.addAll(question.perturbed);
    }
    List<Sample> samples = encoder.encode(rows, "TOFU questions");
    double[] losses = like.of(samples).losses(theta);
    double[] ratios = new double[questions.size()];
    int at = 0;
    for (int i = 0; i < ratios.length; i++) {
      int wrong = questions.get(i).perturbed.size();
      double[] part = Arrays.copyOfRange(losses, at + 1, at + 1 + wrong);
      ratios[i] = TruthRatio.of(losses[at], part);
      at += 1 + wrong;
    }
    return ratios;
  }
}
