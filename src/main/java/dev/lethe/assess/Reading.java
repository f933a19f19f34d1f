package dev.lethe.assess;

import dev.lethe.assess.metric.TokenScores;
import dev.lethe.evaluate.Memorization;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;

/**
 * What the adapters make of a group of rows, row by row.
 *
 * @param group the rows
 * @param rows of each adapter, in the group's order
 * @param distances between adapters, KL of next-token distributions in nats, means over tokens and runs
 */
record Reading(RowGroup group, Map<Subject, List<RowScores>> rows, Distances distances) {

  /**
   * One row under one adapter.
   *
   * @param tokens of the response
   * @param memory how well the response is known
   */
  record RowScores(TokenScores tokens, Memorization memory) {}

  /**
   * Row by row.
   *
   * @param original KL(retrained‖original)
   * @param unlearned KL(retrained‖unlearned)
   * @param noise KL(retrained‖another retraining); null where there is none
   * @param moved KL(original‖unlearned)
   */
  record Distances(double[] original, double[] unlearned, double[] noise, double[] moved) {}

  /** A number of each row under one adapter. */
  double[] of(Subject subject, ToDoubleFunction<RowScores> number) {
    return rows.get(subject).stream().mapToDouble(number).toArray();
  }

  /** The losses under one adapter. */
  double[] losses(Subject subject) {
    return of(subject, row -> row.tokens().loss());
  }

  /** Row by row the mean over runs of |loss of one adapter − loss of the retrained one|. */
  double[] lossDistances(List<Subjects.Run> runs, Function<Subjects.Run, Subject> which) {
    double[] distances = new double[group.samples().size()];
    for (Subjects.Run run : runs) {
      double[] one = losses(which.apply(run));
      double[] retrained = losses(run.retrained());
      for (int i = 0; i < distances.length; i++) {
        distances[i] += Math.abs(one[i] - retrained[i]) / runs.size();
      }
    }
    return distances;
  }
}
