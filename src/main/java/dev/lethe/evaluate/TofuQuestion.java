package dev.lethe.evaluate;

import dev.lethe.LetheException;
import dev.lethe.data.Row.QuestionRow;
import dev.lethe.format.StrictJson;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import tools.jackson.databind.JsonNode;

/**
 * A question of TOFU's {@code *_perturbed} files (arXiv 2401.06121).
 *
 * @param answer the right answer
 * @param paraphrased the right answer in other words; the answer itself where the file has no other words, as for real
 *     authors and world facts
 * @param perturbed wrong answers, at least one
 */
public record TofuQuestion(QuestionRow answer, QuestionRow paraphrased, List<QuestionRow> perturbed) {
  private static final String PARAPHRASED = "paraphrased_answer";
  private static final String WRONG = "perturbed_answer";

  /** What the files hold; the paraphrased question belongs to no measure. */
  private static final Set<String> FIELDS = Set.of("question", "answer", PARAPHRASED, WRONG, "paraphrased_question");

  public TofuQuestion {
    perturbed = List.copyOf(perturbed);
  }

  /**
   * Losses of a question's answers, each a mean over its tokens.
   *
   * @param answer of the right answer
   * @param paraphrased of the right answer in other words
   * @param perturbed of the wrong ones
   */
  public record Losses(double answer, double paraphrased, double[] perturbed) {
    /** How likely the wrong answers are beside the right one, {@link TruthRatio}. */
    public double truthRatio() {
      return TruthRatio.of(paraphrased, perturbed);
    }
  }

  /** The questions of a file, JSON Lines. */
  public static List<TofuQuestion> read(Path file) {
    List<String> lines = StrictJson.readText(file, 1L << 30).lines().toList();
    return IntStream.range(0, lines.size())
        .filter(i -> !lines.get(i).isBlank())
        .mapToObj(i -> of(lines.get(i), Integer.toString(i), file + ":" + (i + 1)))
        .toList();
  }

  private static TofuQuestion of(String line, String id, String where) {
    JsonNode node = StrictJson.parse(line, where);
    for (String field : node.propertyNames()) {
      if (!FIELDS.contains(field)) {
        throw refused(where, "a field is not one of TOFU's", String.join(", ", FIELDS.stream().sorted().toList()), field);
      }
    }
    String question = text(node, "question", where);
    String right = text(node, "answer", where);
    QuestionRow answer = new QuestionRow(id, question, right);
    String words = node.has(PARAPHRASED) ? text(node, PARAPHRASED, where) : right;
    JsonNode wrong = node.path(WRONG);
    if (!wrong.isArray() || wrong.isEmpty()) {
      throw refused(where, "field '" + WRONG + "' cannot be used", "a list of texts", StrictJson.shape(wrong));
    }
    List<QuestionRow> perturbed = new ArrayList<>();
    for (JsonNode other : wrong) {
      if (!other.isString()) {
        throw refused(where, "field '" + WRONG + "' cannot be used", "a list of texts", StrictJson.shape(other));
      }
      perturbed.add(new QuestionRow(id + "." + perturbed.size(), question, other.stringValue()));
    }
    return new TofuQuestion(answer, new QuestionRow(id + ".paraphrased", question, words), perturbed);
  }

  private static String text(JsonNode node, String field, String where) {
    JsonNode value = node.path(field);
    if (!value.isString()) {
      String got = value.isMissingNode() ? "fields " + List.copyOf(node.propertyNames()) : StrictJson.shape(value);
      throw refused(where, "field '" + field + "' cannot be used", "a text", got);
    }
    return value.stringValue();
  }

  private static LetheException refused(String where, String problem, String expected, String got) {
    return new LetheException(where, problem, expected, got, "Fetch the benchmark's file again.");
  }

  /** All answers of all questions in one list, for {@link #losses}. */
  public static List<QuestionRow> rows(List<TofuQuestion> questions) {
    List<QuestionRow> rows = new ArrayList<>();
    for (TofuQuestion question : questions) {
      rows.add(question.answer);
      rows.add(question.paraphrased);
      rows.addAll(question.perturbed);
    }
    return rows;
  }

  /**
   * Sorts losses to questions.
   *
   * @param losses of {@link #rows}, in their order
   */
  public static List<Losses> losses(List<TofuQuestion> questions, double[] losses) {
    List<Losses> sorted = new ArrayList<>();
    int at = 0;
    for (TofuQuestion question : questions) {
      int end = at + 2 + question.perturbed.size();
      sorted.add(new Losses(losses[at], losses[at + 1], Arrays.copyOfRange(losses, at + 2, end)));
      at = end;
    }
    return sorted;
  }
}
