package dev.lethe.session;

import dev.lethe.curvature.Ekfac;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.replay.prepare.PreparedOperators;
import dev.lethe.trajectory.Trajectory;
import java.nio.file.Path;
import java.util.Optional;

/** Curvature that {@code lethe prepare} left in an adapter's folder, for methods that need no more of the training. */
public final class PreparedCurvature {
  private PreparedCurvature() {}

  /**
   * EK-FAC of the training's mean curvature; whoever asks closes it. Empty where the folder has none.
   *
   * @param model with the folder's adapter
   */
  public static Optional<Ekfac> ekfac(Path adapterDir, AdaptedModel model) {
    if (!Trajectory.exists(adapterDir)) {
      return Optional.empty();
    }
    try (Trajectory log = Trajectory.open(adapterDir, model)) {
      return PreparedOperators.ekfac(PreparedOperators.folder(adapterDir), log, model);
    }
  }
}
