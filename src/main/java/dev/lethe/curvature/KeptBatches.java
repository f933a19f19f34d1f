package dev.lethe.curvature;

import dev.lethe.autograd.Adjoints;
import dev.lethe.autograd.Linearization;
import dev.lethe.backend.Backend;
import dev.lethe.data.Batches;
import dev.lethe.data.Sample;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;

/**
 * The batches of a data set linearized at one θ: the first of them kept, as far as a budget allows, the others made
 * anew.
 */
final class KeptBatches implements AutoCloseable {
  private final DatasetLoss loss;
  private final Tensor theta;
  private final Adjoints wanted;
  private final MemoryBudget budget;
  private final Backend backend;
  private final List<KeptBatch> kept = new ArrayList<>();
  private long bytes;

  /**
   * Linearizes as many as the budget allows.
   *
   * @param wanted what is read of their adjoints, and is made at once: it is counted, and recordings must not make it
   */
  KeptBatches(DatasetLoss loss, Tensor theta, Adjoints wanted, MemoryBudget budget) {
    this.loss = loss;
    this.theta = theta;
    this.wanted = wanted;
    this.budget = budget;
    this.backend = loss.backend();
    try {
      keepWhatFits();
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /** Keeps batches in order while the next, by its tokens, is expected to fit beside one spare. */
  private void keepWhatFits() {
    if (budget.bytes() == 0) {
      return;
    }
    double bytesPerToken = 0;
    for (List<Sample> members : loss.batches()) {
      double expected = bytesPerToken * Batches.tokens(members);
      if (bytes + 2 * expected > budget.bytes()) {
        return;
      }
      long before = backend.memoryUse().liveBytes();
      KeptBatch batch = linearize(members, wanted);
      long taken = backend.memoryUse().liveBytes() - before;
      bytesPerToken = Math.max(bytesPerToken, (double) taken / Batches.tokens(members));
      if (bytes + taken > budget.bytes()) {
        batch.close();
        return;
      }
      kept.add(batch);
      bytes += taken;
    }
  }

  private KeptBatch linearize(List<Sample> members, Adjoints held) {
    return KeptBatch.of(loss.model(), members, theta, held);
  }

  /** How many are kept: the first so many. */
  int count() {
    return kept.size();
  }

  /** Bytes that they hold. */
  long bytes() {
    return bytes;
  }

  /** One that is kept. */
  Linearization get(int batch) {
    return kept.get(batch).linearization();
  }

  /** Does work at a batch, kept or not. */
  void at(int batch, BiConsumer<Integer, Linearization> work) {
    at(batch, wanted, work);
  }

  /**
   * The same.
   *
   * @param once the adjoints that one made anew holds
   */
  void at(int batch, Adjoints once, BiConsumer<Integer, Linearization> work) {
    if (batch < kept.size()) {
      work.accept(batch, get(batch));
      return;
    }
    try (KeptBatch fresh = linearize(loss.batches().get(batch), once)) {
      work.accept(batch, fresh.linearization());
    }
  }

  /** How many vectors of a pass fit into what the kept ones leave of the budget; at least one. */
  long vectorsInAPass(Linearization at) {
    long room = budget.bytes() - bytes;
    long free = backend.freeMemory().orElse(Long.MAX_VALUE);
    return Math.max(1, Math.min(room, free / 2) / Math.max(1, at.bytesPerVector()));
  }

  @Override
  public void close() {
    kept.forEach(KeptBatch::close);
    kept.clear();
  }
}
