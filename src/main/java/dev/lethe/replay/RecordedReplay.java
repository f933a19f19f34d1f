package dev.lethe.replay;

import dev.lethe.ArgumentException;
import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.backend.Vectors;
import dev.lethe.replay.operator.ReplayOperator;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.trajectory.LoggedStep;
import dev.lethe.trajectory.TrainingLog;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.IntConsumer;

/**
 * Where a training run would have ended with other rows, from the log of its gradients. The optimiser is replayed as
 * it is, not linearised; only the change of the retained rows' gradient is modelled, to first order in the change of
 * the parameters:
 *
 * <pre>
 * g′ₖ = gₖ − cₖ + ρₖ Cₖ (θ′ₖ − θₖ)      cₖ = Σ wᵢ ∇ℓᵢ(θₖ) over the changed rows of batch k
 * </pre>
 *
 * The model runs for cₖ only, at the true θₖ, which the log gives: the cost is the changed rows' gradients in every
 * epoch. Several requests share a pass as columns. With the true change of the retained gradient in place of C the
 * result is that of retraining.
 */
public final class RecordedReplay {
  private final TrainingLog log;
  private final RowGradients gradients;
  private final ReplayOperator operator;
  private final Backend backend;
  private ReplayProbe probe = ReplayProbe.NONE;
  private StepCorrection correction = StepCorrection.NONE;
  private IntConsumer stepsDone = done -> {};
  private ReplayStart start;

  /** The operator stays its owner's. */
  public RecordedReplay(TrainingLog log, RowGradients gradients, ReplayOperator operator, Backend backend) {
    this.log = log;
    this.gradients = gradients;
    this.operator = operator;
    this.backend = backend;
  }

  /** Something that looks on. */
  public RecordedReplay probed(ReplayProbe value) {
    this.probe = value;
    return this;
  }

  /** Something that adds to the operator's estimate. */
  RecordedReplay corrected(StepCorrection value) {
    this.correction = value;
    return this;
  }

  /** Told after every step how many are done; what it throws ends the replay. */
  public RecordedReplay watched(IntConsumer value) {
    this.stepsDone = value;
    return this;
  }

  /** Goes on from where a real retraining left the requests. */
  public RecordedReplay from(ReplayStart value) {
    this.start = value;
    return this;
  }

  /**
   * Replays all requests in one pass.
   *
   * @param changed takes the new log of the last request; null where it is not wanted
   */
  public Replayed run(List<ReplayRequest> requests, ChangedLog changed) {
    if (requests.isEmpty()) {
      throw new ArgumentException("no request");
    }
    requests.forEach(this::requireRows);
    try (RowGradients ahead = gradients.ahead(log, requests);
        Pass pass = new Pass(requests, ahead, changed)) {
      for (int k = 0; k < log.steps(); k++) {
        log.prefetch(k + 1);
        pass.step(k);
        stepsDone.accept(k + 1);
      }
      return pass.result();
    }
  }

  private void requireRows(ReplayRequest request) {
    for (int place : request.changes().keySet()) {
      if (log.rows().get(place).removed()) {
        throw new LetheException(
            "row '" + log.rows().get(place).id() + "'",
            "an earlier request removed it from this training",
            "rows that the adapter still rests on",
            null,
            "Leave it out of the request.");
      }
    }
  }

  /** The vectors of one pass and its account. */
  private final class Pass implements AutoCloseable {
    private final List<ReplayRequest> requests;
    private final RowGradients rowGradients;
    private final ChangedLog changed;
    private final Vectors vectors = backend.vectors();
    private final Scope scope = backend.openScope("recorded replay");
    private final ReplayStreams streams;
    private final Tensor g;
    private final Tensor change;
    private final Tensor product;
    private final long[] nanos = new long[3];
    private long rowsTaken;
    private int firstTouched = log.steps();
    private boolean parted;

    Pass(List<ReplayRequest> requests, RowGradients rowGradients, ChangedLog changed) {
      this.requests = requests;
      this.rowGradients = rowGradients;
      this.changed = changed;
      int k = requests.size();
      this.streams = new ReplayStreams(backend, log.options(), log.initial(), k);
      long parameters = log.initial().elements();
      this.g = scope.allocate(backend.vectorType(), parameters);
      this.change = scope.allocate(backend.vectorType(), k, parameters);
      this.product = scope.allocate(backend.vectorType(), k, parameters);
    }

    void step(int k) {
      LoggedStep step = log.step(k);
      StepChange edit = StepChange.of(step, requests);
      begin(k, edit);
      timed(2, () -> backend.upload(log.gradient(k), g));
      if (!parted) {
        timed(2, () -> streams.trained().stepAlong(step.rate(), g));
        record(k, step, edit);
        return;
      }
      boolean[] skips = edit.skips();
      correct(k, edit, skips);
      record(k, step, edit);
      timed(2, () -> streams.step(step.rate(), g, change, skips));
    }

    /** Parts the streams at the first step that a request touches, or where a retraining ended. */
    private void begin(int k, StepChange edit) {
      if (edit.touched() && firstTouched == log.steps()) {
        firstTouched = k;
      }
      if (parted) {
        return;
      }
      if (start != null && k == start.step()) {
        streams.part(start);
        parted = true;
      } else if (start == null && edit.touched()) {
        streams.part();
        parted = true;
      }
    }

    /** change[j] = (factor − 1)·g − factor·c + factor·share·C d. */
    private void correct(int k, StepChange edit, boolean[] skips) {
      vectors.fill(change, 0);
      if (edit.touched()) {
        rowsTaken += edit.rows().size();
        timed(
            0,
            () -> rowGradients.add(k, edit.rows(), edit.weightsOfTaken(), streams.trained().theta(), change));
      }
      for (int j = 0; j < skips.length; j++) {
        if (!skips[j] && edit.factors()[j] != 1) {
          vectors.axpy(edit.factors()[j] - 1, g, change.row(j));
        }
      }
      timed(1, () -> estimate(k, edit, skips));
      vectors.axpy(1, product, change);
    }

    private void estimate(int k, StepChange edit, boolean[] skips) {
      Tensor difference = streams.difference();
      vectors.fill(product, 0);
      operator.addProduct(k, difference, 1, product);
      for (int j = 0; j < skips.length; j++) {
        double scale = skips[j] ? 0 : edit.factors()[j] * edit.shares()[j];
        if (scale != 1) {
          vectors.scale(scale, product.row(j));
        }
      }
      probe.look(
          new ReplayProbe.At(
              k, streams.trained().theta(), streams.thetas(), difference, g, change, product));
      if (edit.shares()[skips.length - 1] > 0) {
        correction.add(k, difference, product);
      }
    }

    /** Hands the step on as the request left it, unless it takes none. */
    private void record(int k, LoggedStep step, StepChange edit) {
      boolean retrained = start != null && k < start.step();
      if (changed == null || retrained || Double.isNaN(edit.factors()[requests.size() - 1])) {
        return;
      }
      if (!parted) {
        changed.accept(k, step, g);
        return;
      }
      Tensor after = product.row(0);
      vectors.copy(g, after);
      vectors.axpy(1, change.row(requests.size() - 1), after);
      changed.accept(k, new LoggedStep(step.rate(), step.rows(), weights(step)), after);
    }

    private double[] weights(LoggedStep step) {
      boolean[] gone = new boolean[step.rows().length];
      for (int i = 0; i < gone.length; i++) {
        RowChange row = requests.getLast().changes().get(step.rows()[i]);
        gone[i] = row != null && row.removes();
      }
      return requests.getLast().divisor().weights(step.weights(), gone);
    }

    private void timed(int account, Runnable work) {
      long began = System.nanoTime();
      work.run();
      nanos[account] += System.nanoTime() - began;
    }

    Replayed result() {
      MemorySegment memory = Arena.ofAuto().allocate(change.byteSize(), 8);
      Tensor differences = Tensor.view(memory, change.dtype(), change.shape());
      if (parted) {
        backend.download(streams.difference(), differences);
      }
      return new Replayed(
          differences,
          rowsTaken,
          firstTouched,
          new Replayed.Seconds(nanos[0] * 1e-9, nanos[1] * 1e-9, nanos[2] * 1e-9));
    }

    @Override
    public void close() {
      streams.close();
      scope.close();
    }
  }
}
