package dev.lethe.replay;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Recorded replay in the settings of the study: how much of the distance to retraining is closed. */
class RecordedStudyTest {
  @TempDir Path dir;

  @Test
  void n120() {
    for (int seed = 1; seed <= 1; seed++) {
      String name = "n120-rate3e-3-seed" + seed;
      long t = System.nanoTime();
      try (StudyRun run = new StudyRun(name, "cpu")) {
        System.out.printf("%s trained twice in %.1f s%n", name, (System.nanoTime() - t) * 1e-9);
        t = System.nanoTime();
        try (PreparedOperators operators = run.prepare(dir.resolve(name), null)) {
          System.out.printf("prepared in %.1f s%n", (System.nanoTime() - t) * 1e-9);
          t = System.nanoTime();
          System.out.println(name + " plain " + run.judge(run.replay(run.log, operators.operator())));
          for (int steps : new int[] {4, 8}) {
            MeasuredReplay.Outcome outcome = run.measured(operators.operator(), steps);
            System.out.println(name + " measured " + steps + " " + run.judge(run.moved(outcome.replayed())));
            System.out.println("   " + outcome.measurements());
          }
        }
      }
    }
    assertTrue(true);
  }
}
