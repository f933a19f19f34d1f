package dev.lethe.unlearn;

import dev.lethe.backend.Backend;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.unlearn.certificate.Certificate.Gradients;
import dev.lethe.unlearn.certificate.Certificate.Losses;
import dev.lethe.unlearn.certificate.Certificate.Weights;
import dev.lethe.unlearn.certificate.CertificateParts;
import dev.lethe.unlearn.request.UnlearnTask;
import java.util.function.IntConsumer;

/** What a certificate says of an adapter before and after a step. */
record Measurements(Gradients gradients, Losses losses, Weights weights) {
  /** Nothing was measured. */
  static final Measurements NONE =
      new Measurements(
          new Gradients(null, null, null, null, null, null),
          new Losses(null, null, null, null),
          new Weights(null, null));

  /**
   * Measures both adapters of a step that is not solved for.
   *
   * @param before (P)
   * @param after (P)
   */
  static Measurements of(UnlearnTask task, Tensor before, Tensor after, IntConsumer rowsDone) {
    AdaptedModel model = task.model();
    Objectives objectives =
        new Objectives(model, task.request(), task.heldOut(), task.measuring(), rowsDone);
    At old = At.of(objectives, model.backend(), before);
    At changed = At.of(objectives, model.backend(), after);
    return new Measurements(
        new Gradients(
            (long) objectives.targetRows(), null, old.gradientNorm, changed.gradientNorm, null, null),
        objectives.losses(old.means, changed.means),
        CertificateParts.weights(model, before, after));
  }

  private record At(Double gradientNorm, Objectives.Means means) {
    static At of(Objectives objectives, Backend backend, Tensor theta) {
      try (Scope scope = backend.openScope("measurements")) {
        Tensor g = scope.allocate(backend.vectorType(), theta.elements());
        double[] losses = objectives.targetGradient(theta, g);
        Double norm = objectives.targetRows() == 0 ? null : backend.vectors().norm(g);
        return new At(norm, objectives.means(theta, losses));
      }
    }
  }
}
