package dev.lethe.replay;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.Sample;
import dev.lethe.replay.prepare.Preparation;
import dev.lethe.replay.prepare.PreparationMonitor;
import dev.lethe.replay.prepare.PreparedOperators;
import dev.lethe.train.Divisor;
import dev.lethe.trajectory.LoggedRow;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Ten rows removed one after another, each request on the log that the last one left, and all at once. */
class ChainStudyTest {
  private static final String SETTING = "n120-rate1e-3-seed4";
  private static final int MEASURED = 8;
  private static final int[] REMOVED = {3, 15, 27, 39, 51, 63, 75, 87, 99, 111};

  @TempDir Path dir;

  @Test
  void oneAfterAnotherAndAtOnce() {
    assumeTrue(Boolean.getBoolean("lethe.study"), "skipped: the study takes minutes; mvn -Pstudy");
    try (StudyRun run = new StudyRun(new StudySetting(SETTING, "cpu", null, 0, REMOVED))) {
      StudyRun.Verdict together;
      try (PreparedOperators operators = run.prepare(dir.resolve("0"), null)) {
        together = run.judge(run.moved(run.measured(operators.operator(), MEASURED).replayed()));
      }
      System.out.println("ten rows at once: " + together);
      StudyRun.Verdict chain = run.judge(chain(run));
      System.out.println("ten rows one after another: " + chain);
      assertTrue(chain.forgotten() >= .93 && chain.retained() >= .93, "one after another: " + chain);
      assertTrue(together.forgotten() >= .93 && together.retained() >= .93, "at once: " + together);
    }
  }

  /** θ after all requests, each with operators made anew where they held its row. */
  private double[] chain(StudyRun run) {
    double[] theta = run.trained.clone();
    MemoryLog log = run.log;
    List<Sample> rows = new ArrayList<>(run.setting.rows);
    for (int j = 0; j < REMOVED.length; j++) {
      int place = REMOVED[j];
      ReplayRequest request =
          new ReplayRequest(Map.of(place, RowChange.removal(rows.get(place))), Divisor.KEEP);
      List<LoggedRow> left = new ArrayList<>(log.rows());
      left.set(place, new LoggedRow(left.get(place).id(), ""));
      MemoryLog next = new MemoryLog(log.options(), left, log.initial());
      Replayed replayed;
      try (PreparedOperators operators =
          PreparedOperators.open(dir.resolve("" + j), log, run.setting.model)) {
        replayed =
            new MeasuredReplay(
                    log,
                    rows,
                    new ModelGradients(run.setting.model, log.options(), BatchLimits.DEFAULT),
                    operators.operator(),
                    run.setting.backend,
                    MEASURED)
                .run(request, (k, step, g) -> next.add(step, run.setting.host(g).toDoubles()))
                .replayed();
      }
      for (int i = 0; i < theta.length; i++) {
        theta[i] += replayed.differences().get(i);
      }
      rows.set(place, null);
      if (j + 1 < REMOVED.length) {
        prepare(run, j + 1, log, next, rows);
      }
      log = next;
    }
    return theta;
  }

  private void prepare(
      StudyRun run, int request, MemoryLog before, MemoryLog after, List<Sample> rows) {
    Path to = dir.resolve("" + request);
    PreparedOperators.writeWithout(
        dir.resolve("" + (request - 1)), to, before, after, run.setting.model);
    new Preparation(to, after, run.setting.model, rows, null, BatchLimits.DEFAULT)
        .run(PreparationMonitor.NONE);
  }
}
