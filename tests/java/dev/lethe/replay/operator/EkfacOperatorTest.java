package dev.lethe.replay.operator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.backend.cuda.EmulatedBackends;
import dev.lethe.curvature.DenseDecompositions;
import dev.lethe.curvature.Ekfac;
import dev.lethe.curvature.EkfacBasis;
import dev.lethe.curvature.EkfacBlock;
import dev.lethe.nn.Golden;
import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.BiConsumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** EK-FAC for replays, of matrices that are wide, tall, and without vectors on one of their sides. */
class EkfacOperatorTest {
  private static final long SEED = 57;
  private static final int[][] MATRICES = {{3, 11}, {13, 2}, {2, 7}, {9, 4}, {5, 5}, {3, 6}, {9, 2}};
  private static final int P = Arrays.stream(MATRICES).mapToInt(m -> m[0] * m[1]).sum();

  /** By the definition: the vectors of the longer side beyond 0.7 of the trace share their mean. */
  @ParameterizedTest(name = "{0}")
  @CsvSource({"reference, 1e-12", "cpu, 1e-5", "emulated, 1e-5"})
  void vectorsThatDoNotLeadShareTheirMean(String device, double bound) {
    List<EkfacBlock> blocks = blocks();
    double[] eigenvalues = steep(blocks);
    double[] means = eigenvalues.clone();
    int shared = 0;
    for (EkfacBlock block : blocks) {
      shared += shareMeans(block, means);
    }
    assertTrue(shared > 20, "seed " + SEED + ": " + shared + " vectors share a mean");
    try (Backend backend = open(device)) {
      assertNear(ekfac(backend, blocks, means), operator(backend, blocks, eigenvalues), bound);
    }
  }

  @Test
  void theTraceStays() {
    List<EkfacBlock> blocks = blocks();
    double[] eigenvalues = steep(blocks);
    try (Backend backend = open("reference")) {
      double[] dense = operator(backend, blocks, eigenvalues);
      double trace = IntStream.range(0, P).mapToDouble(i -> dense[i * P + i]).sum();
      assertEquals(Arrays.stream(eigenvalues).sum(), trace, 1e-12 * trace);
    }
  }

  /** Where the vectors of the longer side have like eigenvalues, nothing is lost. */
  @Test
  void eigenvaluesOfTheShorterSideAloneAreKept() {
    List<EkfacBlock> blocks = blocks();
    double[] eigenvalues = new double[P];
    SplittableRandom random = new SplittableRandom(SEED);
    for (EkfacBlock block : blocks) {
      double[] ofShorter = random.doubles(shorter(block), 0.1, 2).toArray();
      forEach(block, (i, j) -> eigenvalues[at(block, i, j)] = ofShorter[i]);
    }
    try (Backend backend = open("reference")) {
      assertNear(ekfac(backend, blocks, eigenvalues), operator(backend, blocks, eigenvalues), 1e-12);
    }
  }

  /** Replaces what does not lead; how many vectors that are. */
  private static int shareMeans(EkfacBlock block, double[] eigenvalues) {
    if ((tall(block) ? block.left() : block.right()) == null) {
      return 0;
    }
    double[] sums = new double[longer(block)];
    forEach(block, (i, j) -> sums[j] += eigenvalues[at(block, i, j)]);
    Integer[] order = IntStream.range(0, sums.length).boxed().toArray(Integer[]::new);
    Arrays.sort(order, (a, b) -> Double.compare(sums[b], sums[a]));
    double wanted = 0.7 * Arrays.stream(sums).sum();
    int k = 0;
    for (double held = 0; held < wanted; k++) {
      held += sums[order[k]];
    }
    for (int i = 0; i < shorter(block); i++) {
      double mean = 0;
      for (int j = k; j < order.length; j++) {
        mean += eigenvalues[at(block, i, order[j])] / (order.length - k);
      }
      for (int j = k; j < order.length; j++) {
        eigenvalues[at(block, i, order[j])] = mean;
      }
    }
    return order.length - k;
  }

  private static Backend open(String device) {
    return device.equals("emulated")
        ? EmulatedBackends.open(DType.F32)
        : Backends.select(device, new BackendOptions(2));
  }

  /** The last but one has no vectors of its shorter side, the last none of its longer one. */
  private static List<EkfacBlock> blocks() {
    EkfacBlock[] blocks = new EkfacBlock[MATRICES.length];
    int offset = 0;
    for (int b = 0; b < blocks.length; b++) {
      int rows = MATRICES[b][0];
      int columns = MATRICES[b][1];
      Tensor left = b < MATRICES.length - 2 ? orthonormal(rows, b) : null;
      Tensor right = orthonormal(columns, -1 - b);
      blocks[b] = new EkfacBlock(offset, rows, columns, left, right);
      offset += rows * columns;
    }
    return List.of(blocks);
  }

  private static Tensor orthonormal(int n, int seed) {
    double[] random = new SplittableRandom(SEED + seed).doubles((long) n * n, -1, 1).toArray();
    return Tensor.of(Shape.of(n, n), DenseDecompositions.orthonormal(random, n, n));
  }

  /** Eigenvalues of which few are large. */
  private static double[] steep(List<EkfacBlock> blocks) {
    SplittableRandom random = new SplittableRandom(SEED);
    double[] eigenvalues = new double[P];
    for (EkfacBlock block : blocks) {
      double[] ofLonger = random.doubles(longer(block), -3, 2).map(Math::exp).toArray();
      forEach(block, (i, j) -> eigenvalues[at(block, i, j)] = ofLonger[j] * random.nextDouble(0.1, 1));
    }
    return eigenvalues;
  }

  private static boolean tall(EkfacBlock block) {
    return block.rows() > block.columns();
  }

  private static int shorter(EkfacBlock block) {
    return (int) Math.min(block.rows(), block.columns());
  }

  private static int longer(EkfacBlock block) {
    return (int) Math.max(block.rows(), block.columns());
  }

  private static int at(EkfacBlock block, int ofShorter, int ofLonger) {
    int row = tall(block) ? ofLonger : ofShorter;
    int column = tall(block) ? ofShorter : ofLonger;
    return (int) (block.offset() + row * block.columns() + column);
  }

  /** Every vector of the shorter side with every one of the longer. */
  private static void forEach(EkfacBlock block, BiConsumer<Integer, Integer> pair) {
    for (int i = 0; i < shorter(block); i++) {
      for (int j = 0; j < longer(block); j++) {
        pair.accept(i, j);
      }
    }
  }

  private static double[] operator(Backend backend, List<EkfacBlock> blocks, double[] eigenvalues) {
    try (EkfacOperator operator = new EkfacOperator(backend, P, blocks, eigenvalues)) {
      return dense(backend, (unit, out) -> operator.addProduct(0, unit, 1, out));
    }
  }

  private static double[] ekfac(Backend backend, List<EkfacBlock> blocks, double[] eigenvalues) {
    try (Ekfac ekfac = new Ekfac(backend, new EkfacBasis(backend, P, blocks), eigenvalues)) {
      return dense(backend, (unit, out) -> ekfac.addProduct(unit, 1, out));
    }
  }

  private static double[] dense(Backend backend, BiConsumer<Tensor, Tensor> product) {
    try (Scope scope = backend.openScope("test")) {
      double[] one = new double[P * P];
      for (int i = 0; i < P; i++) {
        one[i * P + i] = 1;
      }
      Tensor unit = HostTensors.uploaded(backend, scope, Tensor.of(Shape.of(P, P), one));
      Tensor out = HostTensors.uploaded(backend, scope, Tensor.of(Shape.of(P, P), new double[P * P]));
      product.accept(unit, out);
      return HostTensors.doubles(backend, out);
    }
  }

  private static void assertNear(double[] expected, double[] got, double bound) {
    double relative = Golden.relative(got, expected);
    assertTrue(relative <= bound, "seed " + SEED + ": " + relative);
  }
}
