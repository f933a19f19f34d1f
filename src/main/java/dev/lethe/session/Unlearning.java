package dev.lethe.session;

import dev.lethe.nn.AdaptedModel;
import dev.lethe.trajectory.Trajectory;
import dev.lethe.unlearn.Eraser;
import dev.lethe.unlearn.EraserMonitor;
import dev.lethe.unlearn.certificate.Certificate;
import dev.lethe.unlearn.recording.ReplayOptions;
import dev.lethe.unlearn.request.EarlierRequests;
import dev.lethe.unlearn.request.UnlearnRequest;
import dev.lethe.unlearn.request.UnlearnTask;
import dev.lethe.unlearn.result.UnlearnResult;
import java.nio.file.Path;
import java.util.function.Function;

/**
 * The command {@code lethe unlearn} without options: recorded replay where the adapter has a trajectory, otherwise an
 * influence step whose numbers {@link dev.lethe.unlearn.DampingRule} chooses. The classes that it uses take the options
 * of the command.
 */
public final class Unlearning {
  private final Session session;
  private final Path adapterDir;
  private final UnlearnRequest request;
  private Session.Reading reading = Session.Reading.DEFAULT;
  private EraserMonitor monitor = EraserMonitor.NONE;

  /**
   * @param adapterDir the folder of the adapter that should forget
   * @param request of rows that the session read
   */
  public Unlearning(Session session, Path adapterDir, UnlearnRequest request) {
    this.session = session;
    this.adapterDir = adapterDir;
    this.request = request;
  }

  /** Whether an adapter's requests are met by recorded replay unless something else is asked. */
  public static boolean isRecorded(Path adapterDir) {
    return Trajectory.exists(adapterDir);
  }

  /** How the rows were read; {@link Session.Reading#DEFAULT} by default. */
  public Unlearning reading(Session.Reading value) {
    this.reading = value;
    return this;
  }

  /** Watches, and may stop it. */
  public Unlearning monitor(EraserMonitor value) {
    this.monitor = value;
    return this;
  }

  /**
   * Does it.
   *
   * @param out the folder of the new adapter, which must not exist
   * @return the certificate, which lies in the folder
   * @throws dev.lethe.unlearn.result.UnlearnInterrupted where the monitor asked for it
   */
  public Certificate write(Path out) {
    UnlearnRequest next = request.after(EarlierRequests.read(adapterDir));
    try (RunFolder folder = RunFolder.open(out, false)) {
      session.requireFormOf(adapterDir, request.data(), reading);
      AdaptedModel model = session.adapted(adapterDir);
      return isRecorded(adapterDir)
          ? replay(model, next, folder)
          : written(Eraser.builder(model, next).trainedIn(adapterDir).build()::run, out);
    }
  }

  private Certificate replay(AdaptedModel model, UnlearnRequest next, RunFolder folder) {
    UnlearnTask task = UnlearnTask.of(model, next);
    try (TrainingFollower training = new TrainingFollower(adapterDir, model, folder, true)) {
      training.requireNotRemoved(next.forgetIds());
      return written(
          watch -> training.recorded(task, session.promptForm(reading), null, ReplayOptions.USUAL, watch),
          folder.target());
    } finally {
      folder.finish();
    }
  }

  private Certificate written(Function<EraserMonitor, UnlearnResult> method, Path out) {
    try (UnlearnResult result = method.apply(monitor)) {
      result.write(out, adapterDir);
      return result.certificate();
    }
  }
}
