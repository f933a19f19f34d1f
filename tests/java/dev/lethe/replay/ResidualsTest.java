package dev.lethe.replay;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.lethe.backend.Backend;
import dev.lethe.backend.reference.ReferenceBackend;
import dev.lethe.data.Sample;
import dev.lethe.format.file.TemporaryMemory;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.Divisor;
import dev.lethe.train.TrainOptions;
import dev.lethe.trajectory.LoggedRow;
import dev.lethe.trajectory.LoggedStep;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How what was measured at a few steps is carried to all others: against the sum of the formula, one by one. */
class ResidualsTest {
  private static final long SEED = 7;
  private static final int P = 5;
  private static final int MEASURED = 4;

  /** Parts of a run in each of which a correction keeps its direction. */
  private static final int PARTS = 256;

  private final Random random = new Random(SEED);

  @ParameterizedTest(name = "{0} steps")
  @ValueSource(ints = {20, 256, 257, 1500})
  void aCorrectionIsTheSmoothedResidualsByDistance(int steps) {
    MemoryLog log = new MemoryLog(TrainOptions.DEFAULT, List.of(new LoggedRow("0", "hash")), numbers(1));
    for (int k = 0; k < steps; k++) {
      log.add(new LoggedStep(0.1, new int[] {0}, new double[] {1}), new double[P]);
    }
    double[][] residuals = new double[MEASURED][P];
    double[][] differences = new double[steps][];
    int[] measured = {1, steps / 3, steps / 2, steps - 1};
    try (Backend backend = new ReferenceBackend();
        TemporaryMemory memory = new TemporaryMemory("lethe-test");
        Scope scope = backend.openScope("residuals")) {
      ReplayRequest request = new ReplayRequest(Map.of(), Divisor.KEEP);
      List<Sample> rows = List.of(new Sample("0", new int[] {1, 2}, new int[] {1, 2}, "hash"));
      RowGradients truth =
          (step, some, weights, theta, out) ->
              backend.upload(Tensor.of(Shape.of(1, P), residuals[index(measured, step)]), out);
      Residuals corrections = new Residuals(log, rows, request, truth, backend, memory);
      corrections.measure(Set.of(measured[0], measured[1], measured[2], measured[3]));
      Tensor zeros = scope.allocate(backend.vectorType(), 1, P);
      backend.vectors().fill(zeros, 0);
      Tensor difference = scope.allocate(backend.vectorType(), 1, P);
      for (double[] residual : residuals) {
        Arrays.setAll(residual, i -> random.nextGaussian());
      }
      for (int k = 0; k < steps; k++) {
        differences[k] = numbers(P).toDoubles();
        backend.upload(Tensor.of(Shape.of(1, P), differences[k]), difference);
        corrections.look(
            new ReplayProbe.At(k, zeros.row(0), zeros, difference, zeros.row(0), zeros, zeros));
      }
      corrections.fit(scope);
      double[] times = Arrays.stream(measured).mapToDouble(k -> (double) k / steps).toArray();
      Tensor both = scope.allocate(backend.vectorType(), 2, P);
      for (int k = 0; k < steps; k++) {
        backend.vectors().fill(both, 0);
        corrections.boldAndCareful().add(k, difference, both);
        int length = Math.ceilDiv(steps, PARTS);
        double middle = (k / length * length + (length - 1) / 2.0) / steps;
        double[][] expected = {
          sum(Smoother.bold(times, steps, 1).weights(middle), residuals, differences, measured, k),
          sum(Smoother.careful(times, steps).weights(middle), residuals, differences, measured, k)
        };
        for (int j = 0; j < 2; j++) {
          assertArrayEquals(expected[j], both.row(j).toDoubles(), 1e-12, "seed " + SEED + ", step " + k);
        }
      }
    }
  }

  private static double[] sum(
      double[] weights, double[][] residuals, double[][] differences, int[] measured, int step) {
    double[] sum = new double[P];
    for (int j = 0; j < MEASURED; j++) {
      double factor = weights[j] * norm(differences[step]) / norm(differences[measured[j]]);
      for (int i = 0; i < P; i++) {
        sum[i] += factor * residuals[j][i];
      }
    }
    return sum;
  }

  private static int index(int[] measured, int step) {
    return Arrays.binarySearch(measured, step);
  }

  private static double norm(double[] values) {
    return Math.sqrt(Arrays.stream(values).map(x -> x * x).sum());
  }

  private Tensor numbers(int count) {
    return Tensor.of(Shape.of(count), random.doubles(count, 0.5, 1.5).toArray());
  }
}
