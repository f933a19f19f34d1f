package dev.lethe.trajectory;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.Backend;
import dev.lethe.backend.Vectors;
import dev.lethe.backend.kernel.VectorKernels;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.Divisor;
import dev.lethe.train.OptimizerKind;
import dev.lethe.train.RowEdits;
import dev.lethe.train.StepLog;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import dev.lethe.train.TrainingPlan;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a training writes is enough to repeat it, and survives being cut off. */
class TrajectoryTest {
  private static final TrainOptions OPTIONS = TrainedTiny.OPTIONS;
  private static final List<String> FILES =
      List.of(
          TrajectoryFiles.GRADIENTS, TrajectoryFiles.STEPS, TrajectoryFiles.ROWS,
          TrajectoryFiles.INITIAL, TrajectoryFiles.HEADER);

  @TempDir Path dir;

  @ParameterizedTest
  @EnumSource(OptimizerKind.class)
  void replayedByAPlainLoopItGivesTheAdapterBitForBit(OptimizerKind kind) {
    TrainOptions options = OPTIONS.toBuilder().optimizer(kind).build();
    try (TrainedTiny place = new TrainedTiny(dir, "cpu")) {
      AdaptedModel model = place.fresh();
      final double[] start = TrainedTiny.theta(model);
      Path folder = place.train(model, "a", options, RowEdits.NONE, DType.F32);
      try (Trajectory log = Trajectory.open(folder, model)) {
        assertEquals(9, log.steps());
        assertEquals(options, log.options());
        assertArrayEquals(start, log.initial().toDoubles());
        double[] replayed = replay(place.backend, log);
        assertArrayEquals(TrainedTiny.theta(model), replayed, "seed " + TrainedTiny.SEED);
      }
    }
  }

  /** θ_K from θ₀ and the logged gradients, by the optimiser's own words. */
  private static double[] replay(Backend backend, TrainingLog log) {
    TrainOptions o = log.options();
    Vectors vectors = backend.vectors();
    try (Scope scope = backend.openScope("replay")) {
      long size = log.initial().elements();
      Tensor theta = scope.allocate(backend.vectorType(), size);
      Tensor g = scope.allocate(backend.vectorType(), size);
      Tensor m = scope.allocate(backend.vectorType(), size);
      Tensor v = scope.allocate(backend.vectorType(), size);
      vectors.fill(m, 0);
      vectors.fill(v, 0);
      backend.upload(log.initial(), theta);
      for (int k = 0; k < log.steps(); k++) {
        log.prefetch(k + 1);
        backend.upload(log.gradient(k), g);
        double factor = o.clip() / (vectors.norm(g) + 1e-6);
        if (factor < 1) {
          vectors.scale(factor, g);
        }
        double rate = log.step(k).rate();
        if (o.optimizer() == OptimizerKind.ADAMW) {
          VectorKernels.AdamW adamW =
              new VectorKernels.AdamW(o.beta1(), o.beta2(), o.epsilon(), o.weightDecay());
          vectors.adamW(adamW, rate, k + 1, theta, g, m, v);
        } else {
          vectors.axpy(o.weightDecay(), theta, g);
          vectors.axpby(1, g, o.momentum(), m);
          vectors.axpy(-rate, m, theta);
        }
      }
      return theta.toDoubles();
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"cpu", "reference", TrainedTiny.EMULATED})
  void narrowGradientsAreTheWideOnesRounded(String device) {
    try (TrainedTiny place = new TrainedTiny(dir, device)) {
      AdaptedModel one = place.fresh();
      AdaptedModel two = place.fresh();
      Path wide = place.train(one, "wide", OPTIONS, RowEdits.NONE, DType.F32);
      Path narrow = place.train(two, "narrow", OPTIONS, RowEdits.NONE, DType.BF16);
      try (Trajectory f32 = Trajectory.open(wide, one);
          Trajectory bf16 = Trajectory.open(narrow, two)) {
        assertEquals(DType.BF16, bf16.gradient(0).dtype());
        for (int k = 0; k < f32.steps(); k++) {
          double[] expected = f32.gradient(k).toDoubles();
          for (int i = 0; i < expected.length; i++) {
            expected[i] = DType.bf16ToFloat(DType.floatToBf16((float) expected[i]));
          }
          assertArrayEquals(expected, bf16.gradient(k).toDoubles(), "step " + k);
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"KEEP", "SHRINK"})
  void theLogOfAnEditedTrainingNamesItsRows(Divisor divisor) {
    try (TrainedTiny place = new TrainedTiny(dir, "reference")) {
      Sample other = new Sample("7", new int[] {1, 2, 3}, new int[] {-100, 2, 3}, "other");
      RowEdits edits = new RowEdits(Set.of("4", "9"), Map.of("7", other), divisor);
      AdaptedModel model = place.fresh();
      Path folder = place.train(model, "a", OPTIONS, edits, DType.F32);
      try (Trajectory log = Trajectory.open(folder, model)) {
        assertEquals(11, log.rows().size());
        assertTrue(log.rows().get(4).removed() && log.rows().get(9).removed());
        assertEquals(2, log.provenance().edits().removed());
        List<Sample> found = log.requireMatches(edits.target(place.rows), TrainedTiny.FORM);
        assertNull(found.get(4));
        assertEquals(other, found.get(7));
        for (int k = 0; k < log.steps(); k++) {
          LoggedStep step = log.step(k);
          long gone = Arrays.stream(step.rows()).filter(row -> row == 4 || row == 9).count();
          long counted = divisor == Divisor.KEEP ? step.rows().length : step.rows().length - gone;
          for (int i = 0; i < step.rows().length; i++) {
            boolean removed = step.rows()[i] == 4 || step.rows()[i] == 9;
            assertEquals(removed ? 0 : 1.0 / counted, step.weights()[i], "step " + k);
          }
        }
        exactReplay(place, log, found, TrainedTiny.theta(model));
      }
    }
  }

  /** A training that follows the log reaches the same adapter. */
  private static void exactReplay(
      TrainedTiny place, Trajectory log, List<Sample> rows, double[] expected) {
    AdaptedModel again = place.fresh();
    TrainingPlan plan = log.plan(rows);
    new Trainer(again, plan, log.options(), RowEdits.NONE, TrainMonitor.NONE).run(null, false);
    assertArrayEquals(expected, TrainedTiny.theta(again));
  }

  @Test
  void aLogAfterARequestGoesOnFromIt() throws IOException {
    try (TrainedTiny place = new TrainedTiny(dir, "reference")) {
      AdaptedModel model = place.fresh();
      Path folder = place.train(model, "a", OPTIONS, RowEdits.NONE, DType.F32);
      RowEdits edits = new RowEdits(Set.of("4"), Map.of(), Divisor.KEEP);
      Path next = dir.resolve("b");
      try (Trajectory log = Trajectory.open(folder, model);
          TrajectoryWriter writer =
              new TrajectoryWriter(place.work("b"), model, log.dtype(), OPTIONS.batchSize())) {
        model.adapter().save(next);
        writer.begin(0, model.adapter().theta());
        for (int k = 0; k < log.steps(); k++) {
          place.backend.vectors().fill(model.adapter().theta(), k + 0.5);
          writer.append(log.step(k), log.partEnds(k), model.adapter().theta());
        }
        Provenance after = log.provenance().after("data", log.provenance().edits(), "c1");
        List<LoggedRow> rows = RowHashes.edited(after.rowKey(), log.rows(), edits);
        writer.finish(next, after, rows);
        Path again = dir.resolve("again");
        model.adapter().save(again);
        writer.finish(again, after, rows);
        Trajectory.open(again, model).close();
      }
      try (Trajectory log = Trajectory.open(next, model)) {
        assertEquals(List.of("c1"), log.provenance().chain());
        assertTrue(log.rows().get(4).removed());
        assertEquals(8.5, log.gradient(8).get(3));
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"3,4", "1,4", "0,2"})
  void cutOffAnywhereItResumesToTheSameBytes(int every, int stopAfter) throws IOException {
    TrainOptions options = OPTIONS.toBuilder().checkpointEverySteps(every).build();
    try (TrainedTiny place = new TrainedTiny(dir, "reference")) {
      Path whole = place.train(place.fresh(), "whole", options, RowEdits.NONE, DType.BF16);
      TrainMonitor killed = kill(stopAfter, every > 0);
      try {
        assertNull(
            place.train(
                place.fresh(), "parts", options, RowEdits.NONE, DType.BF16, killed, false));
      } catch (Killed expected) {
        assertTrue(every > 0);
      }
      tear(place.work("parts"));
      AdaptedModel model = place.fresh();
      Path parts =
          place.train(
              model, "parts", options, RowEdits.NONE, DType.BF16, TrainMonitor.NONE, true);
      for (String name : FILES) {
        Path one = TrajectoryFiles.folder(whole).resolve(name);
        Path other = TrajectoryFiles.folder(parts).resolve(name);
        assertEquals(-1L, Files.mismatch(one, other), name);
      }
      try (Stream<Path> files = Files.list(TrajectoryFiles.folder(parts))) {
        assertEquals(FILES.size(), files.count());
      }
    }
  }

  @Test
  void anInterruptOfTheThreadStopsAtTheNextStepAndLosesNothing() throws IOException {
    TrainOptions options = OPTIONS.toBuilder().checkpointEverySteps(3).build();
    TrainMonitor interrupts =
        new TrainMonitor() {
          @Override
          public void onStep(StepLog log) {
            if (log.step() == 4) {
              Thread.currentThread().interrupt();
            }
          }
        };
    try (TrainedTiny place = new TrainedTiny(dir, "cpu")) {
      Path whole = place.train(place.fresh(), "whole", options, RowEdits.NONE, DType.BF16);
      Path stopped = place.train(place.fresh(), "parts", options, RowEdits.NONE, DType.BF16, interrupts, false);
      assertTrue(Thread.interrupted(), "the caller learns of the interrupt");
      assertNull(stopped);
      Path parts =
          place.train(place.fresh(), "parts", options, RowEdits.NONE, DType.BF16, TrainMonitor.NONE, true);
      for (String name : FILES) {
        Path one = TrajectoryFiles.folder(whole).resolve(name);
        assertEquals(-1L, Files.mismatch(one, TrajectoryFiles.folder(parts).resolve(name)), name);
      }
    }
  }

  /** What a power cut may leave behind a step that was made safe: half a row, half a line. */
  private static void tear(Path work) throws IOException {
    byte[] rest = {1, 2, 3};
    Files.write(work.resolve(TrajectoryFiles.GRADIENTS), rest, StandardOpenOption.APPEND);
    Files.writeString(
        work.resolve(TrajectoryFiles.STEPS), "{\"rate\":0.", StandardOpenOption.APPEND);
  }

  @Test
  void aTrajectoryThatEndsBeforeItsCheckpointIsRefused() throws IOException {
    try (TrainedTiny place = new TrainedTiny(dir, "reference")) {
      place.train(
          place.fresh(), "parts", OPTIONS, RowEdits.NONE, DType.BF16, kill(3, false), false);
      Path file = place.work("parts").resolve(TrajectoryFiles.GRADIENTS);
      byte[] bytes = Files.readAllBytes(file);
      Files.write(file, Arrays.copyOf(bytes, bytes.length - 1));
      String message =
          Refusals.of(
              () ->
                  place.train(
                      place.fresh(), "parts", OPTIONS, RowEdits.NONE, DType.BF16,
                      TrainMonitor.NONE, true));
      assertTrue(message.contains("gradients.bin") && message.contains("start anew"), message);
    }
  }

  @Test
  void sizesAreThoseOfTheFiles() throws IOException {
    try (TrainedTiny place = new TrainedTiny(dir, "reference")) {
      AdaptedModel model = place.fresh();
      Path folder = place.train(model, "a", OPTIONS, RowEdits.NONE, DType.BF16);
      long parameters = model.layout().size();
      long gradients =
          Files.size(TrajectoryFiles.folder(folder).resolve(TrajectoryFiles.GRADIENTS));
      assertEquals(9 * parameters * 2, gradients);
      long size = TrajectoryFiles.size(9, 4, 11, parameters, DType.BF16);
      assertTrue(size > gradients + 4 * parameters && size < 2 * gradients + 8000, size + "");
      long huge = TrajectoryFiles.size(Long.MAX_VALUE, 8, 4000, 40_000_000, DType.F32);
      assertEquals(Long.MAX_VALUE, huge);
    }
  }

  private static final class Killed extends RuntimeException {
    private static final long serialVersionUID = 1;
  }

  /** Ends a run in the middle: at once, as kill −9 does, or with a checkpoint as Ctrl-C does. */
  private static TrainMonitor kill(int steps, boolean atOnce) {
    return new TrainMonitor() {
      private int done;

      @Override
      public void onStep(StepLog log) {
        if (++done == steps && atOnce) {
          throw new Killed();
        }
      }

      @Override
      public boolean interrupted() {
        return done == steps;
      }
    };
  }
}
