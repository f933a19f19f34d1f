package dev.lethe.replay;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.List;
import org.junit.jupiter.api.Test;

final class MeasuredReplayTest {
  private static final Tensor NONE = Tensor.of(Shape.of(1, 1), new double[1]);

  @Test
  void aRowTakesTheMedianOfTheMeasuredBatches() {
    MeasuredReplay.Outcome outcome =
        outcome(10, batch(8, 4), batch(8, 0.8), batch(4, 0.4), batch(8, 0.9), batch(7, 0.77));
    assertEquals(0.11, outcome.secondsPerRow(), 1e-12);
  }

  @Test
  void aRowTakesTheMeanOfTheChangedOnesWhereNothingWasMeasured() {
    assertEquals(0.25, outcome(10).secondsPerRow(), 1e-12);
    assertEquals(Double.NaN, outcome(0).secondsPerRow());
  }

  private static Measurement batch(int rows, double seconds) {
    return new Measurement(1, rows, 1, 0, 1, seconds);
  }

  /** Of so many row gradients, which took 2.5 s. */
  private static MeasuredReplay.Outcome outcome(long rowGradients, Measurement... measured) {
    Replayed replayed = new Replayed(NONE, rowGradients, 0, new Replayed.Seconds(2.5, 0, 0));
    return new MeasuredReplay.Outcome(replayed, null, null, List.of(measured));
  }
}
