package dev.lethe.replay.prepare;

import dev.lethe.trajectory.LoggedStep;
import dev.lethe.trajectory.TrainingLog;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;

/**
 * Which steps of a run are visited: all where that is what the sketch takes, otherwise the first few,
 * when the curvature changes most, and others evenly spread. A visited step is sampled on its own rows.
 */
final class PreparationPlan {
  private static final int FIRST = 8;

  /** EK-FAC's bases are fitted to one visit in so many. */
  private static final int FACTORS_EVERY = 6;

  /** Steps from which on a run is long. */
  private static final int LONG_RUN = 500;

  /** The same where parameters are many. */
  private static final int LONG_RUN_OF_MANY = 200;

  /** Parameters for every row of the sketch above which it says little of each. */
  private static final int MANY = 16;

  /** Directions of the sketch that a long run of many parameters keeps. */
  static final int LEADING = 240;

  private final List<Group> groups = new ArrayList<>();
  private final int draws;
  private final boolean many;
  private final boolean longRun;

  /**
   * A visited step.
   *
   * @param rows places of its rows that are left, by their weight in the step's gradient
   * @param factors whether EK-FAC's bases are fitted to it too
   */
  record Visit(int step, TreeMap<Double, int[]> rows, boolean factors) {
    int count() {
      return rows.values().stream().mapToInt(places -> places.length).sum();
    }

    /** All places. */
    int[] places() {
      return rows.values().stream().flatMapToInt(IntStream::of).toArray();
    }
  }

  /** Visits that make a part of the result. */
  record Group(int index, List<Visit> visits) {
    int count() {
      return visits.stream().mapToInt(Visit::count).sum();
    }

    int factorRows() {
      return visits.stream().filter(Visit::factors).mapToInt(Visit::count).sum();
    }
  }

  PreparationPlan(TrainingLog log, PreparationSettings settings) {
    List<TreeMap<Double, int[]>> rows =
        IntStream.range(0, log.steps()).mapToObj(k -> rows(log, k)).toList();
    this.many = many(log.initial().elements(), settings);
    this.longRun = longRun(log.steps(), many);
    long slots = rows.stream().mapToLong(PreparationPlan::count).sum();
    List<Integer> steps =
        steps(settings, slots, log.steps()).stream().filter(k -> !rows.get(k).isEmpty()).toList();
    int visited = (int) steps.stream().mapToLong(k -> count(rows.get(k))).sum();
    this.draws = draws(settings, visited);
    for (int first = 0; first < steps.size(); first += settings.groupVisits()) {
      int end = Math.min(steps.size(), first + settings.groupVisits());
      List<Visit> visits = new ArrayList<>();
      for (int i = first; i < end; i++) {
        int step = steps.get(i);
        visits.add(new Visit(step, rows.get(step), (i - first) % FACTORS_EVERY == 0));
      }
      groups.add(new Group(groups.size(), visits));
    }
  }

  static boolean many(long parameters, PreparationSettings settings) {
    return parameters > (long) MANY * settings.sketchRows();
  }

  /**
   * @param many whether parameters are many
   */
  static boolean longRun(long steps, boolean many) {
    return steps >= (many ? LONG_RUN_OF_MANY : LONG_RUN);
  }

  /** Gradients sampled of each of so many visited rows. */
  static int draws(PreparationSettings settings, long visited) {
    return visited == 0
        ? settings.draws()
        : (int) Math.max(settings.draws(), Math.ceilDiv(settings.sketchRows(), visited));
  }

  /** How many steps are visited of so many, which have so many slots; there may be fewer. */
  static long visits(PreparationSettings settings, long slots, long steps) {
    double wanted =
        Math.max(
            (double) settings.sketchRows() / settings.draws(), settings.visitedShare() * slots);
    return slots == 0 ? 0 : (long) Math.ceil(wanted * steps / slots);
  }

  private static List<Integer> steps(PreparationSettings settings, long slots, int steps) {
    long visits = visits(settings, slots, steps);
    TreeSet<Integer> chosen = new TreeSet<>();
    if (visits >= steps) {
      IntStream.range(0, steps).forEach(chosen::add);
      return List.copyOf(chosen);
    }
    long first = Math.min(FIRST, visits / 4);
    for (int i = 0; i < first; i++) {
      chosen.add(i);
    }
    long spread = visits - first;
    for (int i = 0; i < spread; i++) {
      chosen.add((int) (first + (i + 0.5) * (steps - first) / spread));
    }
    return List.copyOf(chosen);
  }

  private static TreeMap<Double, int[]> rows(TrainingLog log, int k) {
    LoggedStep step = log.step(k);
    TreeMap<Double, int[]> byWeight = new TreeMap<>();
    for (int i = 0; i < step.rows().length; i++) {
      int place = step.rows()[i];
      if (step.weights()[i] != 0 && !log.rows().get(place).removed()) {
        byWeight.merge(step.weights()[i], new int[] {place}, PreparationPlan::joined);
      }
    }
    return byWeight;
  }

  private static int[] joined(int[] a, int[] b) {
    return IntStream.concat(IntStream.of(a), IntStream.of(b)).toArray();
  }

  private static long count(TreeMap<Double, int[]> rows) {
    return rows.values().stream().mapToLong(places -> places.length).sum();
  }

  /** The visits, in parts and in the order of the run. */
  List<Group> groups() {
    return groups;
  }

  /**
   * Whether the run is so long that a replay goes without the bilinear term: errors in its negative directions grow
   * from step to step.
   */
  boolean longRun() {
    return longRun;
  }

  /**
   * Whether a replay reads the sketch's leading directions alone: in a long run of so many parameters that the sketch
   * says little of each.
   */
  boolean leading() {
    long rows = (long) draws * groups.stream().mapToInt(Group::count).sum();
    return longRun && many && rows > 2 * LEADING;
  }

  /** Gradients sampled of each visited row. */
  int draws() {
    return draws;
  }
}
