package dev.lethe.assess;

import dev.lethe.assess.Reading.Distances;
import dev.lethe.assess.Reading.RowScores;
import dev.lethe.assess.metric.TokenScores;
import dev.lethe.autograd.Gradients;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.KullbackLeibler;
import dev.lethe.data.Batches;
import dev.lethe.data.Sample;
import dev.lethe.evaluate.Memorization;
import dev.lethe.nn.Batch;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Runs all adapters over rows, once. Predictions are held for one batch and one run at a time. */
final class Reader {
  /** Bytes of one adapter's predictions that are held at a time. */
  private static final long HELD = 1L << 27;

  private final Subjects subjects;
  private final BatchLimits limits;
  private final AssessmentMonitor monitor;

  Reader(Subjects subjects, BatchLimits limits, AssessmentMonitor monitor) {
    long tokens = tokens(subjects.base().model().model().spec().vocabulary());
    this.subjects = subjects;
    this.limits = new BatchLimits(limits.maxSamples(), Math.min(limits.maxTokens(), tokens));
    this.monitor = monitor;
  }

  /** Tokens whose predictions over so many tokens are held at a time. */
  static long tokens(long vocabulary) {
    return Math.max(1, HELD / (vocabulary * Double.BYTES));
  }

  Reading read(RowGroup group) {
    int n = group.samples().size();
    monitor.phase(group.name(), n);
    Map<Subject, List<RowScores>> rows = new LinkedHashMap<>();
    subjects.all().forEach(subject -> rows.put(subject, new ArrayList<>()));
    rows.put(subjects.base(), new ArrayList<>());
    double[] noise = subjects.noise().isEmpty() ? null : new double[n];
    Distances distances = new Distances(new double[n], new double[n], noise, new double[n]);
    int first = 0;
    for (List<Sample> members : Batches.split(group.samples(), limits.maxSamples(), limits.maxTokens())) {
      try (Batch batch = Batch.of(members, subjects.base().model().backend())) {
        for (Subjects.Run run : subjects.runs()) {
          compare(run, batch, first, rows, distances);
        }
        scores(subjects.base(), batch, rows);
      }
      first += members.size();
      monitor.done(first);
    }
    return new Reading(group, rows, distances);
  }

  private void compare(
      Subjects.Run run, Batch batch, int first, Map<Subject, List<RowScores>> rows, Distances distances) {
    double share = 1.0 / subjects.runs().size();
    Tensor retrained = scores(run.retrained(), batch, rows);
    Tensor original = scores(run.original(), batch, rows);
    add(batch, first, retrained, original, share, distances.original());
    Tensor unlearned = scores(run.unlearned(), batch, rows);
    add(batch, first, retrained, unlearned, share, distances.unlearned());
    add(batch, first, original, unlearned, share, distances.moved());
    for (Subject other : subjects.noise()) {
      add(batch, first, retrained, scores(other, batch, rows), share / subjects.noise().size(), distances.noise());
    }
  }

  /** The adapter's predictions (M,V); what they make of the rows is kept where that is not yet done. */
  private Tensor scores(Subject subject, Batch batch, Map<Subject, List<RowScores>> rows) {
    Tensor p = Gradients.probabilities(subject.model().backend(), subject.model().tape(batch), subject.theta());
    List<RowScores> kept = rows.get(subject);
    List<Integer> ends = subject.model().model().spec().eosIds();
    boolean known = !kept.isEmpty() && kept.getLast().memory().id().equals(batch.samples().getLast().id());
    long at = 0;
    for (Sample sample : known ? List.<Sample>of() : batch.samples()) {
      Tensor part = p.slice(at, sample.supervised());
      kept.add(new RowScores(tokens(sample, part), Memorization.of(sample, part, ends)));
      at += sample.supervised();
    }
    return p;
  }

  private static void add(Batch batch, int first, Tensor p, Tensor q, double share, double[] sums) {
    double[] positions = KullbackLeibler.ofRows(p, q);
    int at = 0;
    int row = first;
    for (Sample sample : batch.samples()) {
      sums[row++] += share * KullbackLeibler.mean(positions, at, sample.supervised());
      at += sample.supervised();
    }
  }

  private static TokenScores tokens(Sample sample, Tensor p) {
    int[] targets = sample.targets();
    double[] logs = new double[targets.length];
    double[] means = new double[targets.length];
    double[] variances = new double[targets.length];
    for (int t = 0; t < targets.length; t++) {
      double[] row = p.row(t).toDoubles();
      double square = 0;
      for (double probability : row) {
        if (probability > 0) {
          double log = Math.log(probability);
          means[t] += probability * log;
          square += probability * log * log;
        }
      }
      variances[t] = square - means[t] * means[t];
      logs[t] = Math.log(Math.max(row[targets[t]], Float.MIN_NORMAL));
    }
    return new TokenScores(logs, means, variances);
  }
}
