package dev.lethe.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.autograd.Linearization;
import dev.lethe.backend.Backend;
import dev.lethe.backend.cuda.EmulatedBackends;
import dev.lethe.curvature.MemoryBudget;
import dev.lethe.data.Sample;
import dev.lethe.nn.family.ModelFamily;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.Schedule;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import dev.lethe.unlearn.Eraser;
import dev.lethe.unlearn.EraserMonitor;
import dev.lethe.unlearn.request.UnlearnRequest;
import dev.lethe.unlearn.result.UnlearnResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Every cell of the table of families in docs/formats.md, on every backend that it stands for. */
class FamilyMatrixTest {
  private static final Path PAGE = Path.of("docs", "formats.md");
  private static final List<String> COLUMNS =
      List.of("forward", "four modes", "generate", "train", "unlearn");
  private static final String REFERENCE = "reference";
  private static final Map<String, Supplier<Backend>> BACKENDS =
      Map.of(
          REFERENCE, () -> TestBackends.open(REFERENCE),
          "cpu", () -> TestBackends.open("cpu"),
          "cuda", () -> EmulatedBackends.open(DType.F32));
  private static final TrainOptions TRAINING =
      TrainOptions.builder()
          .learningRate(0.01)
          .schedule(Schedule.CONSTANT)
          .maxSteps(4)
          .batchSize(2)
          .weightDecay(0.01)
          .seed(9)
          .build();

  /** Steps of AdamW and of solvers carry rounding on. */
  private static final double AFTER_STEPS = 100;

  /** What the reference gives, by case and column. */
  private static final Map<String, double[]> EXPECTED = new ConcurrentHashMap<>();

  @Test
  void everyFamilyHasItsRow() throws IOException {
    assertEquals(
        ModelFamily.ALL.stream().map(family -> family.defaults().modelType()).sorted().toList(),
        rows().stream().map(Row::family).distinct().sorted().toList());
  }

  @TestFactory
  Stream<DynamicTest> everyCell() throws IOException {
    return rows().stream()
        .flatMap(
            row ->
                COLUMNS.stream()
                    .flatMap(
                        column ->
                            row.backends(column).stream()
                                .map(
                                    device ->
                                        DynamicTest.dynamicTest(
                                            row.family + ", " + column + ", " + device,
                                            () -> check(row, column, device)))));
  }

  private static void check(Row row, String column, String device) {
    try (Backend backend = BACKENDS.get(device).get();
        Golden golden = Golden.variant(row.golden, backend)) {
      assertEquals(row.family, golden.folder.config().modelType());
      double bound = TestBackends.bound(device);
      switch (column) {
        case "forward" -> forward(golden, bound);
        case "four modes" -> fourModes(golden, bound);
        case "generate" -> generate(golden);
        case "train" -> asReference(row, column, device, trained(golden));
        default -> asReference(row, column, device, unlearned(golden));
      }
    }
  }

  private static void forward(Golden golden, double bound) {
    double[][] logits = golden.adapted.logits(golden.samples.getFirst().inputIds());
    double[] flat = Stream.of(logits).flatMapToDouble(Arrays::stream).toArray();
    assertBelow(bound, Golden.relative(flat, golden.logits().toDoubles()), "logits");
  }

  /** A Hessian product is made of all four. */
  private static void fourModes(Golden golden, double bound) {
    Backend backend = golden.model.backend();
    try (Batch batch = Batch.of(golden.samples, backend);
        Scope scope = backend.openScope("four modes");
        Linearization at =
            new Linearization(backend, golden.adapted.tape(batch), golden.adapter.theta())) {
      Tensor v = golden.direction(0, scope);
      assertBelow(bound, golden.error("gradient", at.gradient(scope)), "gradient");
      assertBelow(bound, golden.error("hvp0", at.hvp(v, scope).row(0)), "Hessian");
      assertBelow(bound, golden.error("ggn0", at.ggn(v, scope).row(0)), "Gauss-Newton");
    }
  }

  private static void generate(Golden golden) {
    int[] expected = Golden.ints(golden.json.at("/greedy/tokens"));
    int[] prompt = Golden.ints(golden.json.at("/greedy/prompt"));
    GenerationOptions options = GenerationOptions.greedy(expected.length);
    assertArrayEquals(
        expected,
        new Generator(golden.adapted, Long.MAX_VALUE).generate(prompt, options, token -> true));
  }

  /** How far training moves the adapter. */
  private static double[] trained(Golden golden) {
    double[] before = theta(golden);
    double loss = meanLoss(golden);
    new Trainer(golden.adapted, golden.samples, TRAINING, TrainMonitor.NONE).run(null, false);
    assertTrue(meanLoss(golden) < loss, "training must lower the loss of " + loss);
    double[] moved = theta(golden);
    for (int i = 0; i < moved.length; i++) {
      moved[i] -= before[i];
    }
    return moved;
  }

  /** The step that removes the last row. */
  private static double[] unlearned(Golden golden) {
    Sample last = golden.samples.getLast();
    UnlearnRequest request =
        UnlearnRequest.of(golden.samples, List.of(last.id()), List.of());
    Eraser eraser =
        Eraser.builder(golden.adapted, request)
            .damping(10)
            .weightDecay(0)
            .tolerance(1e-8)
            .memory(new MemoryBudget(1L << 28))
            .build();
    try (UnlearnResult result = eraser.run(EraserMonitor.NONE)) {
      return result.step().delta().toDoubles();
    }
  }

  private static void asReference(Row row, String column, String device, double[] got) {
    if (device.equals(REFERENCE)) {
      assertTrue(Arrays.stream(got).allMatch(Double::isFinite), "a step that is not finite");
      assertTrue(Arrays.stream(got).anyMatch(value -> value != 0), "no step");
      EXPECTED.put(row.golden + column, got);
      return;
    }
    double[] expected =
        EXPECTED.computeIfAbsent(
            row.golden + column,
            _ -> {
              try (Backend backend = TestBackends.open(REFERENCE);
                  Golden golden = Golden.variant(row.golden, backend)) {
                return column.equals("train") ? trained(golden) : unlearned(golden);
              }
            });
    double bound = AFTER_STEPS * TestBackends.bound(device);
    assertBelow(bound, Golden.relative(got, expected), column);
  }

  private static double meanLoss(Golden golden) {
    Backend backend = golden.model.backend();
    try (Batch batch = Batch.of(golden.samples, backend);
        Linearization at =
            new Linearization(backend, golden.adapted.tape(batch), golden.adapter.theta())) {
      return Arrays.stream(at.losses()).average().orElseThrow();
    }
  }

  private static double[] theta(Golden golden) {
    return HostTensors.doubles(golden.model.backend(), golden.adapter.theta());
  }

  private static void assertBelow(double bound, double error, String what) {
    assertTrue(error <= bound, what + " differs by " + error + ", bound " + bound);
  }

  private static List<Row> rows() throws IOException {
    String page = Files.readString(PAGE);
    String section = page.substring(page.indexOf("\n## Families\n"), page.indexOf("\n## Model configs\n"));
    List<List<String>> table =
        section.lines()
            .filter(line -> line.startsWith("|") && !line.startsWith("|---"))
            .map(line -> Arrays.stream(line.split("\\|")).skip(1).map(String::strip).toList())
            .toList();
    assertEquals(COLUMNS, table.getFirst().subList(2, table.getFirst().size()));
    return table.stream().skip(1).map(Row::of).toList();
  }

  /** A row of the table. */
  private record Row(String family, String golden, Map<String, String> cells) {
    static Row of(List<String> cells) {
      Map<String, String> byColumn = new ConcurrentHashMap<>();
      for (int i = 0; i < COLUMNS.size(); i++) {
        byColumn.put(COLUMNS.get(i), cells.get(2 + i));
      }
      return new Row(cells.get(0).replace("`", ""), cells.get(1).replace("`", ""), byColumn);
    }

    /** Those that a cell names. */
    List<String> backends(String column) {
      String cell = cells.get(column);
      List<String> named =
          cell.equals("all") ? List.of(REFERENCE, "cpu", "cuda") : List.of(cell.split(", "));
      assertTrue(BACKENDS.keySet().containsAll(named), family + ", " + column + ": " + cell);
      return named;
    }
  }
}
