package dev.lethe.replay.operator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.backend.cuda.EmulatedBackends;
import dev.lethe.curvature.DenseDecompositions;
import dev.lethe.nn.Golden;
import dev.lethe.nn.HostTensors;
import dev.lethe.replay.operator.SketchedGgn.Part;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The leading directions of sketches whose parts differ in length and weight. */
class LeadingDirectionsTest {
  private static final long SEED = 31;
  private static final int P = 131;
  private static final int DIRECTIONS = 67;
  private static final int[] LENGTHS = {300, 1, 263};
  private static final double[] WEIGHTS = {0.5, 2, 0.125};

  @ParameterizedTest(name = "{0}")
  @CsvSource({"reference, 1e-12", "cpu, 1e-5", "emulated, 1e-5"})
  void aSketchOfFewDirectionsLosesNothing(String device, double bound) {
    try (Backend backend = open(device)) {
      List<Part> parts = parts(backend.vectorType(), 7);
      double[] whole = products(backend, new SketchedGgn(backend, parts));
      assertNear(whole, products(backend, leading(backend, parts).ggn), bound, device);
    }
  }

  @ParameterizedTest(name = "{0}")
  @CsvSource({"cpu", "emulated"})
  void directionsInBfloat16AreThoseOfTheReference(String device) {
    List<Part> parts = parts(DType.BF16, P);
    try (Backend reference = open("reference");
        Backend backend = open(device)) {
      double[] expected = products(reference, leading(reference, parts).ggn);
      assertNear(expected, products(backend, leading(backend, parts).ggn), 1e-2, device);
    }
  }

  @Test
  void whatIsLeftAwayIsSmallAndPositive() {
    try (Backend backend = open("reference")) {
      List<Part> parts = parts(DType.F64, P);
      double[] whole = products(backend, new SketchedGgn(backend, parts));
      Leading leading = leading(backend, parts);
      assertEquals("67 directions of a sketch of 564 rows", leading.ggn.name());
      double[] few = products(backend, leading.ggn);
      double[] left = new double[P * P];
      for (int i = 0; i < left.length; i++) {
        left[i] = whole[i] - few[i];
      }
      double[] falling = eigenvalues(whole);
      double best = 0;
      for (int i = DIRECTIONS; i < P; i++) {
        best += falling[i];
      }
      double[] lost = eigenvalues(left);
      double trace = 0;
      for (double value : lost) {
        assertTrue(value > -1e-12 * falling[0], "seed " + SEED + ": an eigenvalue of " + value);
        trace += value;
      }
      assertEquals(1 - trace / Arrays.stream(falling).sum(), leading.kept, 0.05, "seed " + SEED);
      assertTrue(trace < 2 * best, "seed " + SEED + ": " + trace + " lost, at best " + best);
    }
  }

  /**
   * @param kept what part of the trace the directions have
   */
  private record Leading(SketchedGgn ggn, double kept) {}

  /** In the format of the parts. */
  private static Leading leading(Backend backend, List<Part> parts) {
    Tensor directions = empty(parts.getFirst().rows().dtype(), Shape.of(DIRECTIONS, P));
    double kept = new LeadingDirections(backend, parts, DIRECTIONS).writeTo(directions);
    return new Leading(SketchedGgn.leading(backend, directions, SketchedGgn.rowsOf(parts)), kept);
  }

  private static Tensor empty(DType type, Shape shape) {
    return Tensor.view(Arena.ofAuto().allocate(shape.elements() * type.bytes(), 64), type, shape);
  }

  private static Backend open(String device) {
    return device.equals("emulated")
        ? EmulatedBackends.open(DType.F32)
        : Backends.select(device, new BackendOptions(2));
  }

  /** Random rows whose numbers fall with their column, all combinations of so many. */
  private static List<Part> parts(DType type, int rank) {
    SplittableRandom random = new SplittableRandom(SEED);
    double[][] basis = new double[rank][P];
    for (int r = 0; r < rank; r++) {
      for (int c = 0; c < P; c++) {
        basis[r][c] = (2 * random.nextDouble() - 1) * Math.pow(0.97, r);
      }
    }
    List<Part> parts = new ArrayList<>();
    for (int p = 0; p < LENGTHS.length; p++) {
      Tensor rows = empty(type, Shape.of(LENGTHS[p], P));
      for (int i = 0; i < LENGTHS[p]; i++) {
        double[] row = new double[P];
        for (double[] direction : basis) {
          double share = 2 * random.nextDouble() - 1;
          for (int c = 0; c < P; c++) {
            row[c] += share * direction[c];
          }
        }
        for (int c = 0; c < P; c++) {
          rows.set((long) i * P + c, row[c]);
        }
      }
      parts.add(new Part(rows, WEIGHTS[p]));
    }
    return parts;
  }

  /** The operator as a matrix, closed. */
  private static double[] products(Backend backend, SketchedGgn operator) {
    try (operator;
        Scope scope = backend.openScope("test")) {
      double[] one = new double[P * P];
      for (int i = 0; i < P; i++) {
        one[i * P + i] = 1;
      }
      Tensor unit = HostTensors.uploaded(backend, scope, Tensor.of(Shape.of(P, P), one));
      Tensor out = HostTensors.uploaded(backend, scope, Tensor.of(Shape.of(P, P), new double[P * P]));
      operator.addProduct(0, unit, 1, out);
      return HostTensors.doubles(backend, out);
    }
  }

  private static double[] eigenvalues(double[] symmetric) {
    double[] vectors = DenseDecompositions.eigenvectors(symmetric, P);
    double[] values = new double[P];
    for (int k = 0; k < P; k++) {
      for (int i = 0; i < P; i++) {
        for (int j = 0; j < P; j++) {
          values[k] += vectors[i * P + k] * symmetric[i * P + j] * vectors[j * P + k];
        }
      }
    }
    return values;
  }

  private static void assertNear(double[] expected, double[] got, double bound, String device) {
    double relative = Golden.relative(got, expected);
    assertTrue(relative <= bound, device + ", seed " + SEED + ": " + relative);
  }
}
