package dev.lethe.replay.prepare;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.Sample;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.replay.MemoryLog;
import dev.lethe.replay.operator.EkfacOperator;
import dev.lethe.replay.operator.ReplayOperator;
import dev.lethe.replay.operator.SketchedGgn;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.OptimizerReplay;
import dev.lethe.train.RowEdits;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import dev.lethe.train.TrainingPlan;
import dev.lethe.train.TrainingSink;
import dev.lethe.trajectory.LoggedRow;
import dev.lethe.trajectory.LoggedStep;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Preparing operators for a run of a tiny Llama: files, resuming, removed rows, bad input. Long because all of it shares
 * that run.
 */
class PreparationTest {
  private static final long SEED = 31;
  private static final int ROWS = 12;
  private static final PreparationSettings SETTINGS =
      new PreparationSettings(48, 2, 0, 2, 3, SEED);

  @TempDir Path dir;
  private Backend backend;
  private Scope scope;
  private TinyModels.Tiny tiny;
  private LoraAdapter adapter;
  private AdaptedModel model;
  private List<Sample> samples;
  private MemoryLog log;

  /** Trains for nine steps. */
  private void open(String device) {
    backend = Backends.select(device, new BackendOptions(2));
    scope = backend.openScope("test");
    tiny =
        TinyModels.open(
            dir.resolve("model"), new TinyModels.Dims(2, 12, 17, 2, 1, 23, 64, ""), backend, SEED);
    adapter = TinyModels.adapter(tiny.model(), 2, 4, List.of("q_proj", "v_proj", "up_proj"), SEED);
    model = new AdaptedModel(tiny.model(), adapter);
    samples = TinyModels.samples(ROWS, 23, 4, 11, SEED);
    TrainOptions options =
        TrainOptions.builder().learningRate(0.01).batchSize(4).epochs(3).clip(0.5).build();
    List<LoggedRow> rows = samples.stream().map(s -> new LoggedRow(s.id(), s.hash())).toList();
    log = new MemoryLog(options, rows, host(adapter.theta()));
    new Trainer(
            model, TrainingPlan.of(samples, options), options, RowEdits.NONE, TrainMonitor.NONE)
        .keep(
            new TrainingSink() {
              @Override
              public void onGradient(TrainingPlan.Step step, Tensor gradient) {
                log.add(
                    new LoggedStep(step.rate(), step.rows(), step.weights()),
                    host(gradient).toDoubles());
              }
            })
        .run(null, false);
  }

  private Tensor host(Tensor tensor) {
    double[] values = new double[(int) tensor.elements()];
    Tensor host = Tensor.of(Shape.of(values.length), values);
    backend.download(tensor, host);
    return host;
  }

  @AfterEach
  void close() {
    scope.close();
    adapter.close();
    tiny.close();
    backend.close();
  }

  @ParameterizedTest
  @ValueSource(strings = {"reference", "cpu"})
  void theOperatorIsSymmetricAndItsCurvatureSemiDefinite(String device) {
    open(device);
    Path made = prepare("operators");
    try (PreparedOperators operators = PreparedOperators.open(made, log, model)) {
      Tensor d = scope.allocate(backend.vectorType(), 2, model.layout().size());
      TinyModels.randomize(backend, d, 1, SEED);
      Tensor out = product(operators.operator(), 4, d);
      double ab = backend.vectors().dot(d.row(0), out.row(1));
      double ba = backend.vectors().dot(d.row(1), out.row(0));
      double size = backend.vectors().norm(out) * backend.vectors().norm(d);
      assertEquals(ab, ba, 1e-5 * size);
      assertTrue(backend.vectors().norm(out) > 0);
      assertTrue(operators.operator().name().contains("ekfac"), operators.operator().name());
    }
  }

  @Test
  void theReplayedRunPassesThroughTheTrainedParameters() {
    open("reference");
    double[] end = host(adapter.theta()).toDoubles();
    try (OptimizerReplay replay = new OptimizerReplay(backend, log.options(), log.initial())) {
      for (int k = 0; k < log.steps(); k++) {
        replay.step(log.step(k).rate(), log.gradient(k));
      }
      assertArrayEquals(end, host(replay.theta()).toDoubles());
    }
  }

  @Test
  void anInterruptedPreparationGoesOnToTheSameBytes() throws IOException {
    open("reference");
    Map<String, byte[]> whole = contents(prepare("whole"));
    Path stopped = dir.resolve("stopped");
    int runs = 0;
    boolean complete = false;
    while (!complete) {
      StopAfter stop = new StopAfter(3);
      Preparation preparation = preparation(stopped, SETTINGS);
      assertFalse(preparation.complete());
      complete = preparation.run(stop);
      runs++;
      assertTrue(runs < 20);
    }
    assertTrue(runs > 1, runs + " runs");
    assertSame(whole, contents(stopped));
    assertEquals(0, preparation(stopped, null).cost());
    assertTrue(preparation(stopped, null).complete());
  }

  private static final class StopAfter implements PreparationMonitor {
    private int left;

    StopAfter(int batches) {
      left = batches;
    }

    @Override
    public boolean interrupted() {
      return left-- == 0;
    }
  }

  /** 48 gradients, two of a row: 24 rows, which are six of the nine steps of four rows. */
  @Test
  void costCountsForwardsAndBackwards() {
    open("reference");
    assertEquals(24 * (1 + 2 * (1 + 2)) / 3.0, preparation(dir.resolve("some"), SETTINGS).cost(), 1e-12);
    PreparationSettings all = new PreparationSettings(100, 2, 0, 4, 3, SEED);
    assertEquals(36 * (1 + 2 * (1 + 3)) / 3.0, preparation(dir.resolve("all"), all).cost(), 1e-12);
    PreparationSettings share = new PreparationSettings(1, 1, 0.5, 4, 3, SEED);
    assertEquals(20 * (1 + 2 * (1 + 1)) / 3.0, preparation(dir.resolve("share"), share).cost(), 1e-12);
  }

  /** No gradients of full weights are made, and the curvature alone counts twice. */
  @Test
  void aLongRunGoesWithoutTheBilinearTerm() {
    open("reference");
    MemoryLog shortRun = repeated(199);
    MemoryLog longRun = repeated(500);
    PreparationSettings few = new PreparationSettings(16, 2, 0, 2, 3, SEED);
    assertEquals(8 * (1 + 2 * (1 + 2)) / 3.0, preparation(dir.resolve("short"), shortRun, few).cost(), 1e-12);
    Path made = dir.resolve("long");
    Preparation preparation = preparation(made, longRun, few);
    assertEquals(8 * (1 + 2 * 2) / 3.0, preparation.cost(), 1e-12);
    assertTrue(preparation.run(PreparationMonitor.NONE));
    assertTrue(preparation.complete());
    OperatorFiles files = new OperatorFiles(made);
    assertFalse(Files.exists(files.means()) || Files.exists(files.weights(0)));
    try (PreparedOperators operators = PreparedOperators.open(made, longRun, model);
        MappedSketch sketch = new PreparedParts(files, new PreparationPlan(longRun, few)).openSketch()) {
      Tensor d = direction();
      Tensor out = assertTwice(operators, sketch, files, d);
      try (ReplayOperator refreshed = operators.operator(1)) {
        assertArrayEquals(out.toDoubles(), product(refreshed, 7, d).toDoubles());
        assertFalse(refreshed.name().contains("bilinear"), refreshed.name());
      }
    }
  }

  /** The sketch is to have 10 rows, so that parameters are many, and has more than 480. */
  @Test
  void aLongRunReadsLeadingDirections() throws IOException {
    open("reference");
    MemoryLog longRun = repeated(500);
    PreparationSettings many = new PreparationSettings(10, 20, 0.02, 2, 3, SEED);
    Path made = dir.resolve("many");
    assertTrue(preparation(made, longRun, many).run(PreparationMonitor.NONE));
    OperatorFiles files = new OperatorFiles(made);
    PreparedParts parts = new PreparedParts(files, new PreparationPlan(longRun, many));
    try (PreparedOperators operators = PreparedOperators.open(made, longRun, model);
        MappedSketch all = parts.openRows();
        MappedSketch directions = parts.openSketch()) {
      assertEquals(SketchedGgn.rowsOf(all.parts()), directions.rows());
      String name = "240 directions of a sketch of " + all.rows() + " rows";
      assertTrue(operators.operator().name().contains(name), operators.operator().name());
      assertTrue(directions.kept() < 0.9999, "all of the sketch is kept: " + directions.kept());
      assertTwice(operators, directions, files, direction());
    }
    assertDirectionsAreMadeAgain(made, longRun, files.directions());
    Path reduced = dir.resolve("reduced");
    PreparedOperators.writeWithout(made, reduced, longRun, without(longRun, Set.of(7)), model);
    assertTrue(Files.exists(new OperatorFiles(reduced).sketch(0)));
    assertFalse(Files.exists(new OperatorFiles(reduced).directions()), "the removed row is in the directions");
  }

  private void assertDirectionsAreMadeAgain(Path made, MemoryLog of, Path directions) throws IOException {
    byte[] first = Files.readAllBytes(directions);
    Files.delete(directions);
    LetheException incomplete =
        assertThrows(LetheException.class, () -> PreparedOperators.open(made, of, model));
    assertTrue(incomplete.getMessage().contains("lethe prepare"), incomplete.getMessage());
    Preparation again = preparation(made, of, null);
    assertFalse(again.complete());
    assertEquals(0, again.cost());
    assertTrue(again.run(PreparationMonitor.NONE));
    assertArrayEquals(first, Files.readAllBytes(directions));
  }

  private Tensor direction() {
    Tensor d = scope.allocate(backend.vectorType(), 1, model.layout().size());
    TinyModels.randomize(backend, d, 1, SEED);
    return d;
  }

  /** Twice the sketch and EK-FAC, which takes over what the sketch leaves away; the operators' product with d. */
  private Tensor assertTwice(
      PreparedOperators operators, MappedSketch sketch, OperatorFiles files, Tensor d) {
    Tensor expected = scope.allocate(backend.vectorType(), d.shape());
    backend.vectors().fill(expected, 0);
    double rho = PreparedOperators.shrinkage(sketch.rows(), model.layout().size());
    try (SketchedGgn ggn = sketch.curvature(backend, Long.MAX_VALUE);
        EkfacOperator ekfac = EkfacParts.operator(model, files.ekfac())) {
      ggn.addProduct(0, d, 2 * (1 - rho), expected);
      ekfac.addProduct(0, d, 2 * (rho + (1 - rho) * (1 - sketch.kept())), expected);
    }
    Tensor out = product(operators.operator(), 7, d);
    assertArrayEquals(expected.toDoubles(), out.toDoubles(), 1e-12 * backend.vectors().norm(expected));
    return out;
  }

  /** The log's steps over and over, so many of them. */
  private MemoryLog repeated(int steps) {
    MemoryLog all = new MemoryLog(log.options(), log.rows(), log.initial());
    for (int k = 0; k < steps; k++) {
      all.add(log.step(k % log.steps()), log.gradient(k % log.steps()).toDoubles());
    }
    return all;
  }

  @Test
  void removedRowsLeaveNothingInTheNewFolder() throws IOException {
    open("reference");
    Path made = prepare("operators");
    Set<Integer> gone = Set.of(7);
    MemoryLog after = without(log, gone);
    Path reduced = dir.resolve("reduced");
    PreparedOperators.writeWithout(made, reduced, log, after, model);
    assertFalse(Files.exists(reduced.resolve("ekfac.safetensors")));
    int sketched = 0;
    for (Path file : files(reduced)) {
      if (file.toString().endsWith(".safetensors")) {
        try (SafeTensors part = SafeTensors.open(file)) {
          List<String> places =
              part.names().stream().filter(name -> name.endsWith("places")).toList();
          assertFalse(places.isEmpty(), file.toString());
          for (String name : places) {
            assertTrue(
                Arrays.stream(OperatorFiles.places(part.get(name))).noneMatch(gone::contains),
                file + ": " + name);
          }
          sketched += part.contains("rows") ? (int) part.get("rows").dim(0) : 0;
        }
      }
    }
    assertTrue(sketched > 0 && sketched < 48, sketched + " rows");
    assertThrows(LetheException.class, () -> PreparedOperators.open(reduced, after, model));
    List<Sample> left = new ArrayList<>(samples);
    gone.forEach(place -> left.set(place, null));
    Preparation again =
        new Preparation(reduced, after, model, left, null, BatchLimits.DEFAULT);
    assertTrue(again.cost() < preparation(dir.resolve("other"), SETTINGS).cost());
    assertTrue(again.run(PreparationMonitor.NONE));
    PreparedOperators.open(reduced, after, model).close();
  }

  private static MemoryLog without(MemoryLog log, Set<Integer> gone) {
    List<LoggedRow> rows = new ArrayList<>(log.rows());
    gone.forEach(place -> rows.set(place, new LoggedRow(rows.get(place).id(), "")));
    MemoryLog after = new MemoryLog(log.options(), rows, log.initial());
    for (int k = 0; k < log.steps(); k++) {
      after.add(log.step(k), log.gradient(k).toDoubles());
    }
    return after;
  }

  @Test
  void anotherRunOtherSettingsAndHalfAPreparationAreRefused() throws IOException {
    open("reference");
    Path made = prepare("operators");
    LetheException other =
        assertThrows(
            LetheException.class, () -> PreparedOperators.open(made, without(log, Set.of(1)), model));
    assertTrue(other.getMessage().contains("another trajectory"), other.getMessage());
    assertTrue(other.getMessage().contains("--operators"), other.getMessage());
    LetheException settings =
        assertThrows(
            LetheException.class, () -> preparation(made, SETTINGS.withSketchRows(30)));
    assertTrue(settings.getMessage().contains("other settings"), settings.getMessage());
    Files.delete(made.resolve("sketch-0001.safetensors"));
    LetheException half =
        assertThrows(LetheException.class, () -> PreparedOperators.open(made, log, model));
    assertTrue(half.getMessage().contains("lethe prepare"), half.getMessage());
    LetheException none =
        assertThrows(
            LetheException.class,
            () -> PreparedOperators.open(dir.resolve("nothing"), log, model));
    assertTrue(none.getMessage().contains("no prepared operators"), none.getMessage());
  }

  @Test
  void aSketchThatIsCutOffIsRefused() throws IOException {
    open("reference");
    Path made = prepare("operators");
    Path sketch = made.resolve("sketch-0001.safetensors");
    byte[] bytes = Files.readAllBytes(sketch);
    Files.write(sketch, Arrays.copyOf(bytes, bytes.length / 2));
    assertThrows(LetheException.class, () -> PreparedOperators.open(made, log, model));
  }

  @Test
  void settingsOutOfRangeAreRefused() {
    open("reference");
    assertThrows(LetheException.class, () -> SETTINGS.withSketchRows(0));
    assertThrows(LetheException.class, () -> new PreparationSettings(9, 1, 1.5, 1, 1, 0));
    assertThrows(LetheException.class, () -> new PreparationSettings(9, 1, 0, 0, 1, 0));
  }

  private Path prepare(String name) {
    Path made = dir.resolve(name);
    assertTrue(preparation(made, SETTINGS).run(PreparationMonitor.NONE));
    return made;
  }

  private Preparation preparation(Path to, PreparationSettings settings) {
    return preparation(to, log, settings);
  }

  private Preparation preparation(Path to, MemoryLog of, PreparationSettings settings) {
    return new Preparation(to, of, model, samples, settings, new BatchLimits(3, 40));
  }

  private Tensor product(ReplayOperator operator, int step, Tensor d) {
    Tensor out = scope.allocate(backend.vectorType(), d.shape());
    backend.vectors().fill(out, 0);
    operator.addProduct(step, d, 1, out);
    return out;
  }

  private static List<Path> files(Path folder) throws IOException {
    try (Stream<Path> all = Files.list(folder)) {
      return all.sorted().toList();
    }
  }

  private static Map<String, byte[]> contents(Path folder) throws IOException {
    Map<String, byte[]> contents = new TreeMap<>();
    for (Path file : files(folder)) {
      contents.put(file.getFileName().toString(), Files.readAllBytes(file));
    }
    return contents;
  }

  private static void assertSame(Map<String, byte[]> expected, Map<String, byte[]> got) {
    assertEquals(expected.keySet(), got.keySet());
    expected.forEach((name, bytes) -> assertArrayEquals(bytes, got.get(name), name));
  }
}
