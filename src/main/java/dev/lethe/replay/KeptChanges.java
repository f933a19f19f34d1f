package dev.lethe.replay;

import dev.lethe.backend.Backend;
import dev.lethe.data.Sample;
import dev.lethe.format.file.TemporaryMemory;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The changed rows' gradients of one request, made in the first of several replays and read in the others. */
final class KeptChanges implements RowGradients {
  private final RowGradients gradients;
  private final Backend backend;
  private final TemporaryMemory memory;
  private final Map<Integer, Tensor> kept = new HashMap<>();

  /** The memory stays its owner's. */
  KeptChanges(RowGradients gradients, Backend backend, TemporaryMemory memory) {
    this.gradients = gradients;
    this.backend = backend;
    this.memory = memory;
  }

  /** Rows and their weights are the same in every replay. */
  @Override
  public void add(int step, List<Sample> rows, double[][] weights, Tensor theta, Tensor out) {
    try (Scope scope = backend.openScope("changed rows")) {
      Tensor change = scope.allocate(backend.vectorType(), 1, theta.elements());
      if (kept.containsKey(step)) {
        backend.upload(kept.get(step), change);
      } else {
        backend.vectors().fill(change, 0);
        gradients.add(step, rows, new double[][] {weights[0]}, theta, change);
        Tensor host = memory.allocate(change.dtype(), change.shape());
        backend.download(change, host);
        kept.put(step, host);
      }
      for (long j = 0; j < out.dim(0); j++) {
        backend.vectors().axpy(1, change.row(0), out.row(j));
      }
    }
  }
}
