package dev.lethe.train;

import dev.lethe.ArgumentException;
import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.autograd.Gradients;
import dev.lethe.autograd.Tape;
import dev.lethe.backend.Backend;
import dev.lethe.data.RowDigest;
import dev.lethe.data.Sample;
import dev.lethe.format.Sha256;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;

/**
 * LoRA fine-tuning of an adapter in place. Step k takes the next {@code batchSize·accumulation}
 * samples of the epoch's order (fewer at the epoch's end); its loss is the mean over these samples
 * of their mean token loss, or over their tokens ({@link LossMean}), its gradient that mean's, clipped
 * to a global norm as {@code torch.nn.utils.clip_grad_norm_} does. With {@link RowEdits} the steps are
 * those of the rows before the edits; a step that has lost all its rows still decays weights and
 * moments, unless the divisor shrinks.
 *
 * <p>Same model, adapter, data, options, edits and backend: same bytes, interrupted or not. Not for
 * several threads.
 */
public final class Trainer {
  private final AdaptedModel model;
  private final TrainingPlan plan;
  private final TrainOptions options;
  private final RowEdits edits;
  private final TrainMonitor listener;
  private final Backend backend;
  private final String dataSha256;
  private final List<Sample> target;
  private TrainingSink sink = TrainingSink.NONE;

  /**
   * @param model with an adapter, whose parameters are trained in place
   * @param samples at least one
   */
  public Trainer(
      AdaptedModel model, List<Sample> samples, TrainOptions options, TrainMonitor listener) {
    this(model, TrainingPlan.of(samples, options), options, RowEdits.NONE, listener);
  }

  /**
   * A training that follows a plan.
   *
   * @param model with an adapter, whose parameters are trained in place
   * @param plan which rows a step reads and its rate; of the options only optimiser, its constants,
   *     clipping and seed count beside it
   * @param edits which rows are left out or read in another version
   */
  public Trainer(
      AdaptedModel model,
      TrainingPlan plan,
      TrainOptions options,
      RowEdits edits,
      TrainMonitor listener) {
    if (model.adapter() == null) {
      throw new ArgumentException("training needs a model with an adapter");
    }
    this.model = model;
    this.plan = plan;
    this.options = options;
    this.edits = edits;
    this.listener = listener;
    this.backend = model.backend();
    List<Sample> rows = plan.rows().stream().filter(Objects::nonNull).toList();
    this.dataSha256 = TrainingRecord.dataSha256(rows);
    this.target = edits.target(rows);
  }

  /** Tells what to keep of the run besides its result. */
  public Trainer keep(TrainingSink kept) {
    sink = kept;
    return this;
  }

  /**
   * Trains to the end, or until the listener interrupts.
   *
   * @param checkpointDir where checkpoints lie; null for none
   * @param resume continue from the newest checkpoint, which must belong to this very run
   */
  public TrainingResult run(Path checkpointDir, boolean resume) {
    if (resume && checkpointDir == null) {
      throw new ArgumentException("resuming needs the folder of the checkpoints");
    }
    Checkpoints checkpoints =
        checkpointDir == null ? null : new Checkpoints(checkpointDir, identity());
    try (TrainingState state = new TrainingState(model, options)) {
      if (resume) {
        checkpoints.restore(state);
      } else if (checkpoints != null) {
        checkpoints.requireNone();
      }
      return new TrainingResult(
          loop(state, checkpoints), record(state), state.optimizerToHost());
    }
  }

  /**
   * Trains from a step on, given the state that a run without the edits had before it.
   *
   * @param start nothing before its step may be changed by the edits
   */
  public TrainingResult run(StoredState start) {
    try (TrainingState state = new TrainingState(model, options)) {
      state.fromHost(start.vectors(), start.where());
      for (; state.step < start.step(); state.step++) {
        state.learningRateSum += plan.step(state.step).rate();
      }
      state.updates = start.step();
      return new TrainingResult(loop(state, null), record(state), state.optimizerToHost());
    }
  }

  private boolean loop(TrainingState state, Checkpoints checkpoints) {
    sink.begin(state.updates, state.theta);
    while (state.step < plan.steps()) {
      if (listener.interrupted()) {
        save(state, checkpoints);
        return false;
      }
      step(state);
      if (options.checkpointEverySteps() > 0
          && state.step % options.checkpointEverySteps() == 0
          && state.step < plan.steps()) {
        save(state, checkpoints);
      }
    }
    return true;
  }

  private void step(TrainingState state) {
    TrainingPlan.Step planned = plan.step(state.step);
    TrainingPlan.Step step = edited(planned);
    if (edits.divisor() == Divisor.SHRINK && isEmpty(step) && !isEmpty(planned)) {
      state.step++;
      state.lastLoss = Double.NaN;
      listener.onStep(
          new StepLog(state.step, plan.steps(), step.epoch(), 0, Double.NaN, 0, 0, 0));
      return;
    }
    final long start = System.nanoTime();
    Pass pass = gradient(state, step);
    double norm = backend.vectors().norm(state.gradient);
    if (!Double.isFinite(norm)) {
      throw notFinite(state.step, "the gradient", norm, members(step));
    }
    sink.onGradient(step, state.gradient);
    clip(backend, options.clip(), norm, state.gradient);
    state.step++;
    state.updates++;
    state.optimizer.step(step.rate(), state.updates, state.theta, state.gradient);
    state.learningRateSum += step.rate();
    state.lastLoss = pass.loss;
    sink.afterStep(state.updates, state::toHost);
    double seconds = (System.nanoTime() - start) * 1e-9;
    listener.onStep(
        new StepLog(
            state.step, plan.steps(), step.epoch(), step.rate(), pass.loss, norm,
            pass.tokens, seconds));
  }

  /** Scales a gradient of a norm down to a limit as {@code torch.nn.utils.clip_grad_norm_} does; 0: none. */
  static void clip(Backend backend, double limit, double norm, Tensor gradient) {
    double factor = limit / (norm + 1e-6);
    if (limit > 0 && factor < 1) {
      backend.vectors().scale(factor, gradient);
    }
  }

  /** The step with the weights that the edits leave. */
  private TrainingPlan.Step edited(TrainingPlan.Step step) {
    boolean[] gone = new boolean[step.rows().length];
    for (int i = 0; i < gone.length; i++) {
      gone[i] = edits.apply(plan.rows().get(step.rows()[i])) == null;
    }
    return step.withWeights(edits.divisor().weights(step.weights(), gone));
  }

  private static boolean isEmpty(TrainingPlan.Step step) {
    return Arrays.stream(step.weights()).allMatch(w -> w == 0);
  }

  private List<Sample> members(TrainingPlan.Step step) {
    return step.slices().stream().flatMap(slice -> samples(slice).stream()).toList();
  }

  private List<Sample> samples(TrainingPlan.Slice slice) {
    return Arrays.stream(slice.rows())
        .mapToObj(place -> edits.apply(plan.rows().get(place)))
        .toList();
  }

  /** The step's gradient: the weighted sum over its rows. */
  private Pass gradient(TrainingState state, TrainingPlan.Step step) {
    backend.vectors().fill(state.gradient, 0);
    long seed = options.dropoutSeed(state.step);
    boolean rowsAlike = options.lossMean() == LossMean.ROWS;
    double sum = 0;
    double all = 0;
    long tokens = 0;
    for (TrainingPlan.Slice slice : step.slices()) {
      List<Sample> part = samples(slice);
      try (Batch batch = Batch.of(part, backend)) {
        Tape tape = model.trainingTape(batch, seed);
        double[] losses = addGradient(tape, slice, state);
        for (int i = 0; i < losses.length; i++) {
          if (!Double.isFinite(losses[i])) {
            throw notFinite(state.step, "the loss", losses[i], part.subList(i, i + 1));
          }
          double weight = rowsAlike ? 1 : slice.weights()[i];
          sum += weight * losses[i];
          all += weight;
        }
        tokens += batch.tokens();
      }
    }
    return new Pass(all == 0 ? Double.NaN : sum / all, tokens);
  }

  private double[] addGradient(Tape tape, TrainingPlan.Slice slice, TrainingState state) {
    if (slice.isEven()) {
      return Gradients.addGradient(backend, tape, state.theta, slice.weights()[0], state.gradient);
    }
    try (Scope scope = backend.openScope("weights of a step's rows")) {
      Shape one = Shape.of(1, slice.weights().length);
      Tensor weights = scope.allocate(backend.vectorType(), one);
      backend.upload(Tensor.of(one, slice.weights()), weights);
      Tensor gradient = state.gradient.reshape(1, state.gradient.elements());
      return Gradients.addWeightedGradient(backend, tape, state.theta, weights, 1, gradient);
    }
  }

  private static LetheException notFinite(
      long step, String what, double value, List<Sample> members) {
    String ids =
        members.stream().map(s -> "'" + s.id() + "'").collect(Collectors.joining(", "));
    return new LetheException(
        Text.format("training step %d, sample%s %s", step + 1, members.size() == 1 ? "" : "s", ids),
        what + " is not finite", "a finite number", Double.toString(value),
        "Lower the learning rate, clip gradients, or look at these samples.");
  }

  private void save(TrainingState state, Checkpoints checkpoints) {
    if (checkpoints != null) {
      sink.beforeCheckpoint();
      listener.beforeCheckpoint();
      checkpoints.save(state);
    }
  }

  private TrainingRecord record(TrainingState state) {
    return new TrainingRecord(
        options,
        target.size(),
        state.updates,
        state.learningRateSum,
        state.lastLoss,
        meanRootSecondMoment(state),
        model.model().sha256(),
        TrainingRecord.dataSha256(target),
        model.adapter().sha256(),
        TrainingRecord.Edits.of(plan, edits),
        TrainingRecord.Rows.of(target),
        null,
        RowDigest.PLAIN);
  }

  /** Mean of √v̂ with v̂ = v/(1 − β₂ᵗ); NaN without AdamW or before the first step. */
  private double meanRootSecondMoment(TrainingState state) {
    Tensor v = state.optimizer.state().get(AdamW.SECOND_MOMENT);
    if (v == null || state.updates == 0) {
      return Double.NaN;
    }
    double correction = 1 - Math.pow(options.beta2(), state.updates);
    double sum = 0;
    for (Tensor part : model.layout().toHost(backend, v).values()) {
      for (long i = 0; i < part.elements(); i++) {
        sum += Math.sqrt(part.get(i) / correction);
      }
    }
    return sum / v.elements();
  }

  /** What the bytes of a run depend on, by the name that an error uses. */
  private Map<String, String> identity() {
    Map<String, String> identity = new LinkedHashMap<>();
    identity.put("model", model.model().sha256());
    identity.put("data", dataSha256);
    identity.put(
        "adapter configuration",
        Sha256.start().add(model.adapter().config().raw().toString()).hex());
    identity.put("edits", edits.identity());
    identity.put("options", options.toJson().toString());
    identity.put("device", backend.name());
    return identity;
  }

  private record Pass(double loss, long tokens) {}
}
