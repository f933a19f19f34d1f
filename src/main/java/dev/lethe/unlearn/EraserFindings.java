package dev.lethe.unlearn;

import dev.lethe.unlearn.certificate.Certificate.OuterStep;
import dev.lethe.unlearn.result.ExactStep;
import java.util.List;

/**
 * What a run of an {@link Eraser} did and measured.
 *
 * @param options as they were used, with the λ that was chosen
 * @param curvatureRows how many rows the curvature is a mean over
 * @param steps the solves
 * @param measured before and after
 * @param step from the old parameters to the new ones
 */
record EraserFindings(
    EraserOptions options,
    int curvatureRows,
    List<OuterStep> steps,
    Measurements measured,
    ExactStep step) {
  EraserFindings {
    steps = List.copyOf(steps);
  }
}
