package dev.lethe.train;

import dev.lethe.LetheException;
import dev.lethe.autograd.Gradients;
import dev.lethe.autograd.Tape;
import dev.lethe.backend.Backend;
import dev.lethe.data.Batches;
import dev.lethe.data.Sample;
import dev.lethe.format.Sha256;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.tensor.SplitMix64;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * LoRA fine-tuning of an adapter in place. Step k takes the next {@code batchSize·accumulation}
 * samples of the epoch's order (fewer at the epoch's end); its loss is the mean over these samples
 * of their mean token loss, its gradient that mean's, clipped to a global norm as {@code
 * torch.nn.utils.clip_grad_norm_} does.
 *
 * <p>Same model, adapter, data, options and backend: same bytes, interrupted or not. Not for
 * several threads.
 */
public final class Trainer {
  private static final long TOKENS_PER_PASS = 8192;
  private static final long DROPOUT_STREAM = 0x64726F706F757421L;

  private final AdaptedModel model;
  private final List<Sample> samples;
  private final TrainOptions options;
  private final TrainListener listener;
  private final Backend backend;
  private final SampleOrder order;
  private final String dataSha256;

  /**
   * @param model with an adapter, whose parameters are trained in place
   * @param samples at least one
   */
  public Trainer(
      AdaptedModel model, List<Sample> samples, TrainOptions options, TrainListener listener) {
    if (model.adapter() == null) {
      throw new IllegalArgumentException("training needs a model with an adapter");
    }
    if (samples.isEmpty()) {
      throw new LetheException(
          "training data", "there are no samples", "at least one", "none", "Pass some data.");
    }
    this.model = model;
    this.samples = List.copyOf(samples);
    this.options = options;
    this.listener = listener;
    this.backend = model.backend();
    this.order = new SampleOrder(this.samples, options.seed(), options.shuffle());
    this.dataSha256 = TrainingRecord.dataSha256(this.samples);
  }

  /**
   * Trains to the end, or until the listener interrupts.
   *
   * @param checkpointDir where checkpoints lie; null for none
   * @param resume continue from the newest checkpoint, which must belong to this very run
   */
  public TrainingResult run(Path checkpointDir, boolean resume) {
    if (resume && checkpointDir == null) {
      throw new IllegalArgumentException("resuming needs the folder of the checkpoints");
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

  private boolean loop(TrainingState state, Checkpoints checkpoints) {
    long total = options.totalSteps(samples.size());
    long stepsPerEpoch = options.stepsPerEpoch(samples.size());
    long epoch = -1;
    List<Sample> epochOrder = List.of();
    while (state.step < total) {
      if (listener.interrupted()) {
        save(state, checkpoints);
        return false;
      }
      if (state.step / stepsPerEpoch != epoch) {
        epoch = state.step / stepsPerEpoch;
        epochOrder = order.of(epoch);
      }
      long first = state.step % stepsPerEpoch * options.samplesPerStep();
      long end = Math.min(samples.size(), first + options.samplesPerStep());
      step(state, total, epochOrder.subList((int) first, (int) end));
      if (options.checkpointEverySteps() > 0
          && state.step % options.checkpointEverySteps() == 0
          && state.step < total) {
        save(state, checkpoints);
      }
    }
    return true;
  }

  private void step(TrainingState state, long total, List<Sample> members) {
    final long start = System.nanoTime();
    double rate =
        options.learningRate()
            * options.schedule().factor(state.step, options.warmupSteps(), total);
    Pass pass = gradient(state, members);
    double norm = backend.vectors().norm(state.gradient);
    if (!Double.isFinite(norm)) {
      throw notFinite(state.step, "the gradient", norm, members);
    }
    if (options.clip() > 0) {
      double factor = options.clip() / (norm + 1e-6);
      if (factor < 1) {
        backend.vectors().scale(factor, state.gradient);
      }
    }
    state.step++;
    state.optimizer.step(rate, state.step, state.theta, state.gradient);
    state.learningRateSum += rate;
    state.lastLoss = pass.loss;
    double seconds = (System.nanoTime() - start) * 1e-9;
    double epochs = (double) state.step / options.stepsPerEpoch(samples.size());
    listener.onStep(
        new StepLog(state.step, total, epochs, rate, pass.loss, norm, pass.tokens / seconds));
  }

  /** The mean gradient over the step's samples. */
  private Pass gradient(TrainingState state, List<Sample> members) {
    backend.vectors().fill(state.gradient, 0);
    long seed = SplitMix64.bits(options.seed() ^ DROPOUT_STREAM, state.step);
    double sum = 0;
    long tokens = 0;
    int index = 0;
    for (List<Sample> part : Batches.split(members, options.batchSize(), TOKENS_PER_PASS)) {
      try (Batch batch = Batch.of(part, backend)) {
        Tape tape = model.trainingTape(batch, SplitMix64.bits(seed, index++));
        double[] losses =
            Gradients.addGradient(
                backend, tape, state.theta, 1.0 / members.size(), state.gradient);
        for (int i = 0; i < losses.length; i++) {
          if (!Double.isFinite(losses[i])) {
            throw notFinite(state.step, "the loss", losses[i], part.subList(i, i + 1));
          }
          sum += losses[i];
        }
        tokens += batch.tokens();
      }
    }
    return new Pass(sum / members.size(), tokens);
  }

  private static LetheException notFinite(
      long step, String what, double value, List<Sample> members) {
    String ids =
        members.stream().map(s -> "'" + s.id() + "'").collect(Collectors.joining(", "));
    return new LetheException(
        "training step %d, sample%s %s".formatted(step + 1, members.size() == 1 ? "" : "s", ids),
        what + " is not finite", "a finite number", Double.toString(value),
        "Lower the learning rate, clip gradients, or look at these samples.");
  }

  private void save(TrainingState state, Checkpoints checkpoints) {
    if (checkpoints != null) {
      listener.onCheckpoint(checkpoints.save(state));
    }
  }

  private TrainingRecord record(TrainingState state) {
    return new TrainingRecord(
        options,
        samples.size(),
        state.step,
        state.learningRateSum,
        state.lastLoss,
        meanRootSecondMoment(state),
        model.model().sha256(),
        dataSha256,
        model.adapter().sha256());
  }

  /** Mean of √v̂ with v̂ = v/(1 − β₂ᵗ); NaN without AdamW or before the first step. */
  private double meanRootSecondMoment(TrainingState state) {
    Tensor v = state.optimizer.state().get(AdamW.SECOND_MOMENT);
    if (v == null || state.step == 0) {
      return Double.NaN;
    }
    double correction = 1 - Math.pow(options.beta2(), state.step);
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
    identity.put("options", options.toJson().toString());
    identity.put("device", backend.name());
    return identity;
  }

  private record Pass(double loss, long tokens) {}
}
