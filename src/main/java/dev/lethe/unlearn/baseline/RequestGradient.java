package dev.lethe.unlearn.baseline;

import dev.lethe.data.Sample;
import dev.lethe.tensor.Tensor;
import dev.lethe.unlearn.request.Change;
import java.util.List;

/** b = (1/n) Σ [∇ℓ(old) − ∇ℓ(new)] over the requested rows, which influence functions multiply with an inverse. */
final class RequestGradient {
  private RequestGradient() {}

  /** Adds weight·b to out (P). */
  static void add(BaselineWork work, Tensor theta, double weight, Tensor out) {
    double part = weight / work.request().rows();
    List<Change> changes = work.request().effective();
    List<Sample> replacements =
        changes.stream().filter(change -> change.replacement() != null).map(Change::replacement).toList();
    work.addGradient(changes.stream().map(Change::original).toList(), theta, (i, row, loss) -> part, out);
    work.addGradient(replacements, theta, (i, row, loss) -> -part, out);
  }
}
