package dev.lethe.replay;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.replay.StudySetting.Variant;
import dev.lethe.replay.prepare.PreparationSettings;
import dev.lethe.replay.prepare.PreparedOperators;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * How well the certificate's estimate of the closure holds: thirteen trainings, from mild to far too fast, and
 * four removals from each, against retraining. With {@code mvn -Pstudy}. The table is in
 * docs/studies/closure-estimate.md.
 */
class ClosureStudyTest {
  private static final int ROWS = 60;
  private static final int ESTIMATED_ON = 16;
  private static final double NEAR = 0.15;

  /** The highest rate of the study of operators; above it replay fails, and the estimate has to refuse. */
  private static final double USUAL_RATE = 3e-3;

  private static final List<List<Integer>> REQUESTS =
      List.of(places(10, 1), places(20, 2), places(30, 4), places(40, 8));

  private static final PreparationSettings SETTINGS =
      new PreparationSettings(360, 2, 0.15, 15, 16, 0);

  @TempDir Path dir;

  /** One training: a setting with another rate and other batches. */
  private record Training(String setting, int epochs, int batch, double rate) {}

  private static final List<Training> TRAININGS =
      List.of(
          new Training("n120-rate3e-3-seed1", 3, 4, 1e-3),
          new Training("n120-rate3e-3-seed2", 3, 4, 1e-3),
          new Training("n120-rate3e-3-seed3", 4, 1, 1e-3),
          new Training("n120-rate3e-3-seed1", 3, 4, 3e-3),
          new Training("n120-rate3e-3-seed2", 3, 4, 3e-3),
          new Training("n120-rate3e-3-seed3", 3, 4, 3e-3),
          new Training("n120-rate3e-3-seed2", 4, 1, 3e-3),
          new Training("n120-rate3e-3-seed1", 3, 4, 1e-2),
          new Training("n120-rate3e-3-seed1", 3, 4, 3e-2),
          new Training("n120-all-linears-seed1", 3, 4, 1e-3),
          new Training("n120-all-linears-seed1", 3, 4, 3e-3),
          new Training("n120-all-linears-seed1", 3, 4, 1e-2),
          new Training("n120-all-linears-seed1", 3, 4, 3e-2));

  /**
   * @param forgotten what is closed, of the requested rows
   * @param retained the same of retained rows
   */
  private record Run(
      Training training, double forgotten, double estimate, double retained, double retainedEstimate) {
    boolean refused() {
      return !(estimate >= ReplayError.LEAST && retainedEstimate >= ReplayError.LEAST);
    }

    boolean worseThanNothing() {
      return forgotten < 0 || retained < 0;
    }
  }

  @Test
  void estimatesAreNearTheTruthAndBadRunsRefused() {
    assumeTrue(Boolean.getBoolean("lethe.study"), "skipped: the study takes minutes; mvn -Pstudy");
    List<Run> runs = new ArrayList<>();
    for (int i = 0; i < TRAININGS.size(); i++) {
      runs.addAll(runs(TRAININGS.get(i), dir.resolve("training" + i)));
    }
    List<Run> accepted = runs.stream().filter(run -> !run.refused()).toList();
    List<Run> usual =
        runs.stream().filter(run -> run.training().rate() <= USUAL_RATE).toList();
    report("all", runs);
    report("usual rates", usual);
    report("accepted", accepted);
    assertTrue(usual.size() >= 30, usual.size() + " runs");
    assertEquals(List.of(), accepted.stream().filter(Run::worseThanNothing).toList());
    for (List<Run> judged : List.of(usual, accepted)) {
      assertTrue(near(judged, ClosureStudyTest::errorOnForgotten) >= .8, "requested rows");
      assertTrue(near(judged, ClosureStudyTest::errorOnRetained) >= .8, "retained rows");
    }
  }

  private static List<Run> runs(Training training, Path dir) {
    List<Run> runs = new ArrayList<>();
    Variant variant = new Variant(ROWS, training.epochs(), training.batch(), training.rate());
    try (StudyRun trained = StudyRun.of(training.setting(), "cpu", variant);
        PreparedOperators operators = trained.prepare(dir, SETTINGS)) {
      int measured = Math.clamp(Math.round(.05 * trained.log.steps()), 8, 32);
      for (List<Integer> request : REQUESTS) {
        StudyRun run = trained.removing(request);
        MeasuredReplay.Outcome outcome = run.measured(operators.operator(), measured);
        StudyRun.Verdict verdict = run.judge(run.moved(outcome.replayed()));
        runs.add(
            new Run(
                training,
                verdict.forgotten(),
                run.estimated(outcome, run.forgotten),
                verdict.retained(),
                run.estimated(outcome, run.retained.subList(0, ESTIMATED_ON))));
        System.out.printf(
            "%d removed, %d measured steps: %s%n", request.size(), measured, runs.getLast());
      }
    }
    return runs;
  }

  private static List<Integer> places(int first, int count) {
    return IntStream.range(first, first + count).boxed().toList();
  }

  private static double errorOnForgotten(Run run) {
    return run.estimate() - run.forgotten();
  }

  private static double errorOnRetained(Run run) {
    return run.retainedEstimate() - run.retained();
  }

  private static double near(List<Run> runs, ToDoubleFunction<Run> error) {
    return (double) runs.stream().filter(run -> Math.abs(error.applyAsDouble(run)) <= NEAR).count()
        / runs.size();
  }

  private static void report(String which, List<Run> runs) {
    System.out.printf(
        "%s %d runs: within %.2f %.3f/%.3f, worse than nothing %d%n",
        which, runs.size(), NEAR,
        near(runs, ClosureStudyTest::errorOnForgotten),
        near(runs, ClosureStudyTest::errorOnRetained),
        runs.stream().filter(Run::worseThanNothing).count());
  }
}
