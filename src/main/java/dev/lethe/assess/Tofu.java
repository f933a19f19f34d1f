package dev.lethe.assess;

import dev.lethe.Text;
import dev.lethe.assess.metric.Bootstrap;
import dev.lethe.assess.metric.ChoiceProbability;
import dev.lethe.assess.metric.Estimate;
import dev.lethe.assess.metric.ModelUtility;
import dev.lethe.assess.metric.Rouge;
import dev.lethe.assess.record.Section;
import dev.lethe.assess.record.Section.Line;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.DatasetReader;
import dev.lethe.data.Row;
import dev.lethe.data.Sample;
import dev.lethe.evaluate.KolmogorovSmirnov;
import dev.lethe.evaluate.TofuQuestion;
import dev.lethe.evaluate.TofuQuestion.Losses;
import dev.lethe.evaluate.TruthRatio;
import dev.lethe.session.Session;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.ToDoubleFunction;

/**
 * TOFU's measures (arXiv 2401.06121) as open-unlearning computes them: truth ratio, forget quality and model utility. The
 * reference of forget quality is the retrained adapter of the assessment.
 */
public final class Tofu implements Assessment.Measure {
  private final Session session;
  private final Session.Reading reading;
  private final TofuFiles files;
  private final Assessment.Options options;

  /**
   * @param reading how the training rows were read; a benchmark's question becomes text in the same way
   */
  public Tofu(Session session, Session.Reading reading, TofuFiles files, Assessment.Options options) {
    this.session = session;
    this.reading = reading;
    this.files = files;
    this.options = options;
  }

  @Override
  public List<Section> of(
      Subjects subjects, UnlearnRequest request, Bootstrap bootstrap, AssessmentMonitor monitor) {
    return List.of(
        forgetQuality(subjects, request, bootstrap, monitor), utility(subjects, request, bootstrap, monitor));
  }

  private Section forgetQuality(
      Subjects subjects, UnlearnRequest request, Bootstrap bootstrap, AssessmentMonitor monitor) {
    List<TofuQuestion> questions = about(files.all(), request.forgotten());
    List<String> remarks = new ArrayList<>();
    List<Line> lines = new ArrayList<>();
    if (questions.isEmpty()) {
      remarks.add("Not measured: no question of the benchmark's perturbed files is about a forgotten row, to the letter.");
      return section(lines, remarks);
    }
    List<double[]> ratios = new ArrayList<>();
    for (Subject subject : subjects.first()) {
      monitor.phase("TOFU, forgotten", questions.size());
      List<Losses> losses = losses(questions, subject);
      ratios.add(losses.stream().mapToDouble(Losses::truthRatio).toArray());
      monitor.done(questions.size());
    }
    lines.add(new Line("mean truth ratio", ratios.stream().map(bootstrap::mean).toList(), null));
    List<KolmogorovSmirnov> tests =
        List.of(
            TruthRatio.forgetQuality(ratios.get(0), ratios.get(2)),
            TruthRatio.forgetQuality(ratios.get(1), ratios.get(2)));
    int n = questions.size();
    Estimate none = Estimate.none("the reference");
    lines.add(
        new Line(
            "KS statistic D",
            List.of(Estimate.exact(tests.get(0).statistic(), n), Estimate.exact(tests.get(1).statistic(), n), none),
            null));
    lines.add(
        new Line(
            "forget quality, p",
            List.of(Estimate.exact(tests.get(0).pValue(), n), Estimate.exact(tests.get(1).pValue(), n), none),
            tests.get(0).pValue() > 0.05
                ? "the original cannot be told from the retrained adapter by it: says nothing about forgetting"
                : null));
    remarks.add(Text.format(
        "%d questions about forgotten rows of %d forgotten rows.",
        n, request.forgotten().size()));
    return section(lines, remarks);
  }

  private static Section section(List<Line> lines, List<String> remarks) {
    return new Section(
        "tofu_forget_quality",
        "TOFU: forget quality",
        "Truth ratio: how likely wrong answers are beside the right one in other words. Forget quality: the p-value of the"
            + " Kolmogorov-Smirnov test that truth ratios are distributed as the retrained adapter's; small means they"
            + " differ. It shrinks with the number of questions, D does not.",
        MemorySections.ROLES, lines, remarks);
  }

  private Section utility(
      Subjects subjects, UnlearnRequest request, Bootstrap bootstrap, AssessmentMonitor monitor) {
    Map<String, List<TofuQuestion>> sets = new LinkedHashMap<>();
    List<TofuQuestion> known = about(files.retain(), request.retained());
    List<String> remarks = new ArrayList<>();
    if (known.isEmpty()) {
      remarks.add("No question of retain_perturbed.json is a retained row, so all but the forgotten ones are asked.");
      known = new ArrayList<>(files.retain());
      known.removeAll(about(files.retain(), request.forgotten()));
    }
    sets.put("retained", RowGroup.draw(known, options.rows(), options.seed()));
    sets.put("real authors", RowGroup.draw(files.realAuthors(), options.rows(), options.seed()));
    sets.put("world facts", RowGroup.draw(files.worldFacts(), options.rows(), options.seed()));
    List<List<double[]>> parts = new ArrayList<>();
    for (Subject subject : subjects.first()) {
      List<double[]> ofSubject = new ArrayList<>();
      sets.forEach((name, questions) -> ofSubject.addAll(parts(name, questions, subject, monitor)));
      parts.add(ofSubject);
    }
    List<Line> lines = new ArrayList<>();
    int[] sizes = parts.getFirst().stream().mapToInt(rows -> rows.length).toArray();
    List<Estimate> utilities =
        parts.stream().map(of -> bootstrap.of(sizes, drawn -> ModelUtility.of(means(of, drawn)))).toList();
    lines.add(
        new Line(
            "model utility",
            utilities,
            utilities.getFirst().value() == 0 ? "0 already before unlearning: says nothing about what it cost" : null));
    int part = 0;
    for (Map.Entry<String, List<TofuQuestion>> set : sets.entrySet()) {
      for (String name : List.of("probability", "truth ratio part", "ROUGE-L recall")) {
        int at = part++;
        List<Estimate> means = parts.stream().map(of -> bootstrap.mean(of.get(at))).toList();
        lines.add(new Line(set.getKey() + ", " + name, means, null));
      }
      remarks.add(
          Text.format(
              "%s: %d questions, %d of them answered.",
              set.getKey(), set.getValue().size(), Math.min(options.answered(), set.getValue().size())));
    }
    return new Section(
        "tofu_model_utility",
        "TOFU: model utility",
        "The harmonic mean of nine parts. Probability: exp(-loss) of the right answer; among the answers offered for real"
            + " authors and world facts. Truth ratio part: max(0, 1 - truth ratio).",
        MemorySections.ROLES, lines, remarks);
  }

  /** Probability, truth ratio and ROUGE of each question of a set. */
  private List<double[]> parts(
      String name, List<TofuQuestion> questions, Subject subject, AssessmentMonitor monitor) {
    monitor.phase("TOFU, " + name, questions.size());
    List<Losses> losses = losses(questions, subject);
    boolean offered = questions.stream().allMatch(q -> q.answer().answer().equals(q.paraphrased().answer()));
    double[] probabilities =
        numbers(losses, l -> offered ? ChoiceProbability.of(l.answer(), l.perturbed()) : Math.exp(-l.answer()));
    double[] known = numbers(losses, l -> ModelUtility.knowing(l.truthRatio()));
    List<TofuQuestion> asked = RowGroup.draw(questions, options.answered(), options.seed());
    Continuations continuations = new Continuations(session.tokenizer(), options.maxNewTokens());
    double[] rouge = new double[asked.size()];
    List<Sample> samples = encode(asked.stream().<Row>map(TofuQuestion::answer).toList());
    for (int i = 0; i < rouge.length; i++) {
      String said = continuations.say(subject, Continuations.parts(samples.get(i)).query());
      rouge[i] = Rouge.l(asked.get(i).answer().answer(), said).recall();
      monitor.done((i + 1) * questions.size() / rouge.length);
    }
    return List.of(probabilities, known, rouge);
  }

  private List<Losses> losses(List<TofuQuestion> questions, Subject subject) {
    List<Sample> samples = encode(List.copyOf(TofuQuestion.rows(questions)));
    double[] losses = new DatasetLoss(subject.model(), samples, options.limits()).losses(subject.theta());
    return TofuQuestion.losses(questions, losses);
  }

  /** All that may be read: every question with each of its answers. */
  public static List<Sample> samples(Session session, Session.Reading reading, TofuFiles files) {
    List<TofuQuestion> all = new ArrayList<>(files.all());
    all.addAll(files.realAuthors());
    all.addAll(files.worldFacts());
    return encode(session, reading, List.copyOf(TofuQuestion.rows(all)));
  }

  private List<Sample> encode(List<Row> rows) {
    return encode(session, reading, rows);
  }

  private static List<Sample> encode(Session session, Session.Reading reading, List<Row> rows) {
    return session.encoder(rows, reading.withFields(Map.of())).encode(rows, "TOFU");
  }

  /** The questions that some rows ask, with the same answer. */
  private List<TofuQuestion> about(List<TofuQuestion> questions, List<Sample> rows) {
    Set<String> hashes = new HashSet<>();
    rows.forEach(row -> hashes.add(row.hash()));
    return questions.stream().filter(q -> hashes.contains(DatasetReader.sha256(q.answer()))).toList();
  }

  private static double[] means(List<double[]> parts, int[][] drawn) {
    double[] means = new double[parts.size()];
    for (int p = 0; p < means.length; p++) {
      for (int row : drawn[p]) {
        means[p] += parts.get(p)[row] / drawn[p].length;
      }
    }
    return means;
  }

  private static double[] numbers(List<Losses> losses, ToDoubleFunction<Losses> number) {
    return losses.stream().mapToDouble(number).toArray();
  }
}
