package dev.lethe.unlearn.recording;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.data.Sample;
import dev.lethe.nn.TinyModels;
import dev.lethe.replay.MeasuredReplay;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.Divisor;
import dev.lethe.train.RowEdits;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.TrainingPlan;
import dev.lethe.trajectory.LoggedRow;
import dev.lethe.trajectory.LoggedStep;
import dev.lethe.trajectory.TrainingLog;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a budget buys: changed rows first, then measured steps, then a retrained head. */
class ReplayStepsTest {
  private static final int DEFAULT_MEASURED = 8;
  private final List<Sample> rows = TinyModels.samples(100, 23, 3, 5, 7);
  private final TrainOptions options = TrainOptions.builder().batchSize(5).epochs(2).build();
  private final TrainingPlan plan = TrainingPlan.of(rows, options);
  private final Recording recording = new Recording(new PlannedLog(), rows, plan);
  private final RowEdits edits = RowEdits.of(rows, List.of("7", "8"), List.of(), Divisor.KEEP);

  private ReplaySteps steps(double budget) {
    return ReplaySteps.of(
        recording, edits, new ReplayOptions(0, budget, 1, ReplayOptions.BY_COST, false));
  }

  /** Row gradients of a replay with these steps. */
  private long cost(ReplaySteps steps) {
    int first = recording.firstTouched(edits);
    long cost = 0;
    for (int k = 0; k < recording.log().steps(); k++) {
      cost += k < steps.head() ? recording.retained(k, edits) : recording.changed(k, edits);
    }
    for (int k : MeasuredReplay.stepsToMeasure(recording.log().steps(), steps.measured())) {
      cost += k >= steps.head() && k > first ? recording.retained(k, edits) : 0;
    }
    return cost;
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.0205, 0.05, 0.1, 0.2, 0.25, 0.3, 0.5, 0.8, 0.95})
  void aBudgetIsNeverExceeded(double budget) {
    ReplaySteps bought = steps(budget);
    double spent = (double) cost(bought) / recording.retraining(edits);
    assertTrue(spent <= budget, bought + " costs " + spent);
    assertTrue(spent > budget - 0.03, bought + " leaves too much: " + spent);
    assertTrue(bought.head() == 0 || bought.measured() == DEFAULT_MEASURED, bought::toString);
  }

  @Test
  void theFirstMoneyGoesToMeasuredSteps() {
    assertEquals(new ReplaySteps(0, 0), steps(0.0205));
    assertTrue(steps(0.1).measured() > 0, steps(0.1)::toString);
    assertTrue(steps(0.5).head() > 0, steps(0.5)::toString);
  }

  @Test
  void theLeastBudgetIsNamed() {
    LetheException e = assertThrows(LetheException.class, () -> steps(0.01));
    assertTrue(e.getMessage().contains("at least 0.0205 retrainings"), e.getMessage());
  }

  @Test
  void withoutABudgetTheOptionsHold() {
    ReplayOptions asked = new ReplayOptions(0.25, Double.NaN, 1, 3, false);
    assertEquals(new ReplaySteps(10, 3), ReplaySteps.of(recording, edits, asked));
  }

  /** The steps of the plan, without gradients. */
  private final class PlannedLog implements TrainingLog {
    @Override
    public TrainOptions options() {
      return options;
    }

    @Override
    public List<LoggedRow> rows() {
      return rows.stream().map(row -> new LoggedRow(row.id(), row.hash())).toList();
    }

    @Override
    public Tensor initial() {
      throw new AssertionError("no parameters are needed");
    }

    @Override
    public int steps() {
      return Math.toIntExact(plan.steps());
    }

    @Override
    public LoggedStep step(int k) {
      int[] places = plan.step(k).rows();
      double[] weights = IntStream.of(places).mapToDouble(i -> 1.0 / places.length).toArray();
      return new LoggedStep(0.1, places, weights);
    }

    @Override
    public Tensor gradient(int k) {
      throw new AssertionError("no gradients are needed");
    }
  }
}
