package dev.lethe.assess;

import dev.lethe.Text;
import dev.lethe.assess.metric.Bootstrap;
import dev.lethe.assess.metric.Closure;
import dev.lethe.assess.metric.Estimate;
import dev.lethe.assess.metric.Klom;
import dev.lethe.assess.metric.RelativeTest;
import dev.lethe.assess.metric.ULira;
import dev.lethe.assess.record.Section;
import dev.lethe.assess.record.Section.Line;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** How far the adapters are from retraining. */
final class DistanceSections {
  static final String CLOSED = "closed";
  static final String NOISE = "other retrainings";

  private final Subjects subjects;
  private final List<Reading> readings;
  private final Bootstrap bootstrap;

  DistanceSections(Subjects subjects, List<Reading> readings, Bootstrap bootstrap) {
    this.subjects = subjects;
    this.readings = readings;
    this.bootstrap = bootstrap;
  }

  List<Section> all() {
    List<Section> sections = new ArrayList<>(List.of(divergences(), lossDistances(), losses(), nearer()));
    long unlearned = subjects.runs().stream().map(Subjects.Run::unlearned).distinct().count();
    if (unlearned > 1 && retrained().size() > 1) {
      sections.add(klom());
    }
    if (unlearned >= ULira.FEWEST_MODELS && retrained().size() >= ULira.FEWEST_MODELS) {
      sections.add(lira());
    }
    return sections;
  }

  private Section divergences() {
    boolean noise = !subjects.noise().isEmpty();
    List<String> columns = new ArrayList<>(List.of("original", "unlearned", CLOSED));
    if (noise) {
      columns.add(NOISE);
    }
    List<Line> lines = new ArrayList<>();
    for (Reading reading : readings) {
      Reading.Distances d = reading.distances();
      List<Estimate> cells = new ArrayList<>();
      cells.add(bootstrap.mean(d.original()));
      cells.add(bootstrap.mean(d.unlearned()));
      cells.add(Closure.of(d.unlearned(), d.original(), bootstrap));
      if (noise) {
        cells.add(bootstrap.mean(d.noise()));
      }
      lines.add(new Line(reading.group().name(), cells, cells.get(2).note()));
    }
    return new Section(
        "distance_kl",
        "Distance to retraining, by predictions",
        "Mean KL divergence of the next-token distributions from those of the retrained adapter, in nats; 0 is the same."
            + " Closed: the share of the original's distance that is gone; 1 is retraining, 0 is doing nothing.",
        columns,
        lines,
        noise ? noiseRemarks() : List.of("Without --noise nothing says how far two retrainings lie apart."));
  }

  private List<String> noiseRemarks() {
    List<String> farther = new ArrayList<>();
    for (Reading reading : readings) {
      double noise = sum(reading.distances().noise());
      double original = sum(reading.distances().original());
      if (noise > original && original > 0) {
        farther.add(Text.format("%.1f times on %s rows", noise / original, reading.group().name()));
      }
    }
    return farther.isEmpty()
        ? List.of()
        : List.of(
            Text.format(
                "Other retrainings lie farther from the retrained adapter than the original does: %s. So the closed share"
                    + " compares adapters of one order and one initialisation, and \"cannot be told from retraining\""
                    + " would be no claim: already the original lies within that noise.",
                String.join(", ", farther)));
  }

  private Section lossDistances() {
    List<Line> lines = new ArrayList<>();
    for (Reading reading : readings) {
      double[] before = reading.lossDistances(subjects.runs(), Subjects.Run::original);
      double[] after = reading.lossDistances(subjects.runs(), Subjects.Run::unlearned);
      Estimate closed = Closure.of(after, before, bootstrap);
      lines.add(
          new Line(
              reading.group().name(),
              List.of(bootstrap.mean(before), bootstrap.mean(after), closed),
              closed.note()));
    }
    return new Section(
        "distance_loss",
        "Distance to retraining, by losses",
        "Mean over rows of |loss - loss under the retrained adapter|, in nats."
            + " Closed: 1 - sum |l_u - l_r| / sum |l_0 - l_r|.",
        List.of("original", "unlearned", CLOSED), lines, List.of());
  }

  private Section losses() {
    List<Line> lines = new ArrayList<>();
    for (Reading reading : readings) {
      lines.add(
          new Line(
              reading.group().name(),
              subjects.first().stream().map(subject -> bootstrap.mean(reading.losses(subject))).toList(),
              reading.group().samples().size() < Bootstrap.FEWEST_ROWS ? "few rows" : null));
    }
    return new Section(
        "losses",
        "Losses",
        "Mean cross-entropy of a response's tokens, in nats, each row alike.",
        MemorySections.ROLES, lines, List.of());
  }

  private Section nearer() {
    List<Line> lines = new ArrayList<>();
    for (Reading reading : readings) {
      RelativeTest test =
          RelativeTest.of(reading.distances().moved(), reading.distances().unlearned(), bootstrap.seed());
      double smallest = RelativeTest.smallest(test.rows());
      lines.add(
          new Line(
              reading.group().name(),
              List.of(Estimate.exact(test.meanDifference(), test.rows()), Estimate.exact(test.pValue(), test.rows())),
              smallest > 0.05 ? Text.format("%d rows cannot give a p-value below %.2f", test.rows(), smallest) : null));
    }
    return new Section(
        "nearer_to_retrained",
        "Nearer to the retrained than to the original?",
        "KL(original to unlearned) - KL(retrained to unlearned); above 0 it is nearer to the retrained. p: how likely a"
            + " difference as large is if it were as near to both (sign-flip randomisation over rows, one-sided).",
        List.of("difference", "p"), lines, List.of());
  }

  private Section klom() {
    List<Line> lines = new ArrayList<>();
    for (Reading reading : readings) {
      double[][] unlearned = margins(reading, subjects.runs().stream().map(Subjects.Run::unlearned).distinct().toList());
      double[][] original = margins(reading, subjects.runs().stream().map(Subjects.Run::original).distinct().toList());
      double[][] retrained = margins(reading, retrained());
      lines.add(
          new Line(
              reading.group().name(),
              List.of(bootstrap.mean(klom(original, retrained)), bootstrap.mean(klom(unlearned, retrained))),
              null));
    }
    int fewest = Math.min(retrained().size(), subjects.runs().size());
    return new Section(
        "klom",
        "KLOM",
        "KL divergence of margin histograms between models that unlearned and models that were retrained, mean over rows.",
        List.of("original", "unlearned"),
        lines,
        fewest < Klom.MODELS_WANTED
            ? List.of(
                Text.format(
                    "%d models of a kind: histograms of twenty bins want %d and more.",
                    fewest, Klom.MODELS_WANTED))
            : List.of());
  }

  private Section lira() {
    List<Subject> unlearned = subjects.runs().stream().map(Subjects.Run::unlearned).distinct().toList();
    List<Subject> original = subjects.runs().stream().map(Subjects.Run::original).distinct().toList();
    double[][] aim = losses(readings.getFirst(), retrained());
    boolean several = original.size() >= ULira.FEWEST_MODELS;
    Estimate before =
        several
            ? bootstrap.mean(ULira.accuracies(losses(readings.getFirst(), original), aim))
            : Estimate.none(Text.format("wants %d originals", ULira.FEWEST_MODELS));
    Estimate after = bootstrap.mean(ULira.accuracies(losses(readings.getFirst(), unlearned), aim));
    return new Section(
        "u_lira",
        "U-LiRA",
        "How often a likelihood-ratio test of a forgotten row's loss tells an adapter that unlearned it from one that never"
            + " saw it, each judged by the others of both kinds, mean over rows: 0.5 is chance, 1 is certain.",
        List.of("original", "unlearned"),
        List.of(new Line(readings.getFirst().group().name(), List.of(before, after), null)),
        List.of(Text.format("%d unlearned and %d retrained adapters.", unlearned.size(), aim.length)));
  }

  private static double[][] losses(Reading reading, List<Subject> models) {
    return models.stream().map(reading::losses).toArray(double[][]::new);
  }

  private List<Subject> retrained() {
    List<Subject> all = new ArrayList<>(subjects.runs().stream().map(Subjects.Run::retrained).toList());
    all.addAll(subjects.noise());
    return all.stream().distinct().toList();
  }

  private static double[][] margins(Reading reading, List<Subject> models) {
    return models.stream().map(model -> reading.of(model, row -> row.tokens().margin())).toArray(double[][]::new);
  }

  private static double[] klom(double[][] ones, double[][] others) {
    double[] rows = new double[ones[0].length];
    for (int i = 0; i < rows.length; i++) {
      int row = i;
      rows[i] =
          Klom.of(
              Arrays.stream(ones).mapToDouble(model -> model[row]).toArray(),
              Arrays.stream(others).mapToDouble(model -> model[row]).toArray());
    }
    return rows;
  }

  private static double sum(double[] values) {
    return Arrays.stream(values).sum();
  }
}
