package dev.lethe.unlearn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.backend.Vectors;
import dev.lethe.cli.Workplace;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.replay.operator.ReplayOperator;
import dev.lethe.session.Session;
import dev.lethe.tensor.Tensor;
import dev.lethe.trajectory.Trajectory;
import dev.lethe.unlearn.recording.Recording;
import dev.lethe.unlearn.recording.ReplayOptions;
import dev.lethe.unlearn.request.UnlearnRequest;
import dev.lethe.unlearn.request.UnlearnTask;
import dev.lethe.unlearn.result.UnlearnResult;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A replay whose operator drives it away is refused by the size of its step, without any measured step. */
class DivergedReplayTest {
  @TempDir private Path dir;

  /** A curvature below zero: what has changed changes faster. */
  private record Repelling(Vectors vectors, double strength) implements ReplayOperator {
    @Override
    public String name() {
      return "repelling";
    }

    @Override
    public void addProduct(int step, Tensor d, double scale, Tensor out) {
      vectors.axpy(-scale * strength, d, out);
    }

    @Override
    public void close() {}
  }

  @Test
  void aStepOfSeveralAdaptersIsRefusedAndNamed() {
    Workplace place = new Workplace(dir);
    Path adapterDir = place.adapter("a", "--optimizer", "sgd", "--clip", "0");
    try (Session session = Session.open(place.model, "reference")) {
      AdaptedModel model = session.adapted(adapterDir);
      List<Sample> rows = session.samples(place.data);
      UnlearnTask task = UnlearnTask.of(model, UnlearnRequest.of(rows, List.of("row-3"), List.of()));
      try (Trajectory trajectory = Trajectory.open(adapterDir, model)) {
        Recording recording = Recording.of(trajectory, rows, session.promptForm(Session.Reading.DEFAULT));
        Vectors vectors = session.backend().vectors();

        run(task, recording, new Repelling(vectors, 0), false).close();
        ReplayOperator wild = new Repelling(vectors, 1e4);
        LetheException refused = assertThrows(LetheException.class, () -> run(task, recording, wild, false));
        assertTrue(refused.getMessage().contains("diverged"), refused.getMessage());
        assertTrue(refused.getMessage().contains("--method exact"), refused.getMessage());

        try (UnlearnResult forced = run(task, recording, wild, true)) {
          long warned =
              forced.certificate().warnings().stream().filter(said -> said.contains("diverged")).count();
          assertEquals(1, warned, forced.certificate().warnings()::toString);
        }
      }
    }
  }

  private static UnlearnResult run(
      UnlearnTask task, Recording recording, ReplayOperator operator, boolean force) {
    ReplayOptions options = new ReplayOptions(0, Double.NaN, 1, 0, force);
    return new RecordedUnlearner(task, recording, operator, options).run(EraserMonitor.NONE);
  }
}
