package dev.lethe.assess;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.assess.metric.Bootstrap;
import dev.lethe.assess.record.AssessmentRecord;
import dev.lethe.assess.record.Curve;
import dev.lethe.assess.record.Section;
import dev.lethe.assess.record.ShownText;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.RowKey;
import dev.lethe.data.Sample;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.session.Session;
import dev.lethe.session.machine.Versions;
import dev.lethe.session.machine.Work;
import dev.lethe.train.TrainingRecord;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** Measures adapters against retraining; everything but the adapters and the request has a default. */
public final class Assessment {
  private static final int SHOWN = 5;

  private final Session session;
  private final Subjects subjects;
  private final UnlearnRequest request;
  private final Options options;
  private final List<Measure> further = new ArrayList<>();
  private List<Sample> heldOut = List.of();
  private AssessmentMonitor monitor = AssessmentMonitor.NONE;

  /**
   * How much is measured.
   *
   * @param rows the most rows of a group whose predictions are compared; more are drawn from
   * @param answered the most rows of a group that are answered greedily
   * @param maxNewTokens the most tokens of an answer
   * @param draws how many times rows are drawn again for an interval
   * @param seed of all drawing
   * @param texts whether rows are shown in words
   * @param limits how much is worked on at a time
   */
  public record Options(
      int rows, int answered, int maxNewTokens, int draws, long seed, boolean texts, BatchLimits limits) {
    /** 400 rows a group, 50 of them answered in at most 200 tokens, 2,000 draws. */
    public static final Options USUAL = new Options(400, 50, 200, 2000, 0, false, BatchLimits.DEFAULT);

    /** The same with another amount of work at a time. */
    public Options within(BatchLimits other) {
      return new Options(rows, answered, maxNewTokens, draws, seed, texts, other);
    }
  }

  /** A further measure, on the first adapters of the assessment. */
  @FunctionalInterface
  public interface Measure {
    /** Takes it. */
    List<Section> of(Subjects subjects, UnlearnRequest request, Bootstrap bootstrap, AssessmentMonitor monitor);
  }

  /**
   * @param session of the model, with the backend that measures
   * @param subjects of the same session
   * @param request that the adapters were to meet
   */
  public Assessment(Session session, Subjects subjects, UnlearnRequest request, Options options) {
    this.session = session;
    this.subjects = subjects;
    this.request = request;
    this.options = options;
  }

  /**
   * What measuring takes.
   *
   * @param label of the command
   * @param adapters how many there are
   * @param newTokens of an answer; 0: none answers
   * @param attacked whether there are held-out rows to attack with
   */
  public static Work work(String label, TransformerSpec spec, int adapters, int newTokens, boolean attacked) {
    return Work.assess(label, adapters, Reader.tokens(spec.vocabulary()), newTokens, attacked);
  }

  /**
   * Rows that no adapter was trained on; the attacks need them.
   *
   * @throws LetheException where a row says what a row of the training data or a new version says, apart from case and
   *     white space
   */
  public Assessment heldOut(List<Sample> rows) {
    Set<String> trained = new HashSet<>();
    for (List<Sample> seen : List.of(request.data(), request.replacements())) {
      seen.forEach(row -> trained.add(row.hash()));
      seen.stream().map(Sample::likeness).filter(likeness -> !likeness.isEmpty()).forEach(trained::add);
    }
    List<String> known =
        rows.stream().filter(row -> trained.contains(row.hash()) || trained.contains(row.likeness())).map(row -> "'" + row.id() + "'").toList();
    if (!known.isEmpty()) {
      throw new LetheException(
          "held-out rows",
          "rows were trained on",
          "rows that no adapter has seen",
          Text.format(
              "%d of %d that are in the data: %s",
              known.size(), rows.size(), known.stream().limit(SHOWN).collect(Collectors.joining(", "))),
          "Remove them from the held-out file.");
    }
    this.heldOut = List.copyOf(rows);
    return this;
  }

  /** Watches, and may stop it. */
  public Assessment monitor(AssessmentMonitor value) {
    this.monitor = value;
    return this;
  }

  /** Adds a measure. */
  public Assessment with(Measure measure) {
    further.add(measure);
    return this;
  }

  /**
   * The sections that follow from predictions alone, without answers and attacks: what can be measured again cheaply.
   */
  public List<Section> ofPredictions() {
    Bootstrap bootstrap = new Bootstrap(options.draws(), options.seed());
    List<Reading> readings = readings();
    List<Section> sections = new ArrayList<>(new DistanceSections(subjects, readings, bootstrap).all());
    sections.add(new MemorySections(subjects, bootstrap).byHeart(readings));
    return sections;
  }

  private List<Reading> readings() {
    List<Reading> readings = new ArrayList<>();
    Reader reader = new Reader(subjects, options.limits(), monitor);
    for (RowGroup group : groups(options.rows())) {
      readings.add(reader.read(group));
    }
    return readings;
  }

  /** Measures. */
  public AssessmentRecord run() {
    Bootstrap bootstrap = new Bootstrap(options.draws(), options.seed());
    List<Reading> readings = readings();
    List<Section> sections = new ArrayList<>(new DistanceSections(subjects, readings, bootstrap).all());
    MemorySections memory = new MemorySections(subjects, bootstrap);
    sections.add(memory.byHeart(readings));
    if (session.tokenizer() != null) {
      Continuations continuations = new Continuations(session.tokenizer(), options.maxNewTokens());
      sections.add(memory.answers(groups(options.answered()), continuations, options.texts(), monitor));
    }
    AttackSection attacks = new AttackSection(subjects, bootstrap);
    sections.add(heldOut.isEmpty() ? AttackSection.refused() : attack(attacks, readings));
    for (Measure measure : further) {
      sections.addAll(measure.of(subjects, request, bootstrap, monitor));
    }
    return record(sections, attacks.curves(), memory.shown());
  }

  private Section attack(AttackSection section, List<Reading> readings) {
    Attacks attacks = new Attacks(subjects.base(), session.tokenizer(), options.limits());
    return section.of(readings.getFirst(), readings.getLast(), attacks, monitor);
  }

  /** Forgotten rows first, held-out ones last. */
  private List<RowGroup> groups(int most) {
    List<RowGroup> groups = new ArrayList<>();
    add(groups, RowGroup.FORGOTTEN, request.forgotten(), most);
    add(groups, RowGroup.NEW_VERSIONS, request.replacements(), most);
    add(groups, RowGroup.RETAINED, request.retained(), most);
    add(groups, RowGroup.HELD_OUT, heldOut, most);
    return groups;
  }

  private void add(List<RowGroup> groups, String name, List<Sample> rows, int most) {
    if (!rows.isEmpty()) {
      groups.add(RowGroup.drawn(name, rows, most, options.seed()));
    }
  }

  private AssessmentRecord record(List<Section> sections, List<Curve> curves, List<ShownText> texts) {
    Map<String, Section> byKey = new LinkedHashMap<>();
    sections.forEach(section -> byKey.put(section.key(), section));
    Map<String, String> environment = new LinkedHashMap<>(Versions.current().toMap());
    environment.put("backend", session.backend().name());
    environment.put("device", session.backend().description());
    return new AssessmentRecord(
        Instant.now().truncatedTo(ChronoUnit.SECONDS),
        environment,
        hashes(),
        new AssessmentRecord.Asked(
            request.rows(),
            request.changes().size() - request.replacements().size(),
            request.replacements().size(),
            request.forgetIds()),
        subjects.all().stream()
            .map(s -> new AssessmentRecord.Adapter(s.role().label(), s.name(), s.sha256(), s.method()))
            .toList(),
        groups(options.rows()).stream()
            .map(group -> new AssessmentRecord.Measured(group.name(), group.samples().size(), group.of()))
            .toList(),
        options.seed(),
        options.draws(),
        Headline.of(byKey),
        sections,
        curves,
        texts,
        Limits.of(subjects, !heldOut.isEmpty()));
  }

  /** SHA-256 of model, data, request and held-out rows, as the record has them. */
  public Map<String, String> hashes() {
    Map<String, String> hashes = new LinkedHashMap<>();
    hashes.put("model", session.model().sha256());
    RowKey key = request.key();
    hashes.put("data", key.of(TrainingRecord.dataSha256(request.data())));
    hashes.put("request", key.of(request.sha256()));
    if (!heldOut.isEmpty()) {
      hashes.put("heldOut", key.of(TrainingRecord.dataSha256(heldOut)));
    }
    hashes.put("rowKeyId", key.id());
    return hashes;
  }
}
