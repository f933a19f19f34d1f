package dev.lethe.train;

import dev.lethe.LetheException;
import dev.lethe.format.JsonFields;
import dev.lethe.format.StrictJson;
import dev.lethe.tensor.SplitMix64;
import tools.jackson.databind.node.ObjectNode;

/**
 * How to train. Defaults are those of {@link #DEFAULT}; change them through {@link #builder}.
 *
 * @param optimizer default AdamW
 * @param learningRate the base rate; default 2e-4
 * @param schedule default linear
 * @param warmupSteps default 0
 * @param epochs passes over the data; default 3
 * @param maxSteps optimiser steps; 0, the default: as many as the epochs need, otherwise epochs is
 *     ignored
 * @param batchSize samples in a forward pass; default 8
 * @param accumulation forward passes a step; default 1. A step's gradient is the mean over all its
 *     samples
 * @param clip largest gradient norm; default 1, 0 for no clipping
 * @param weightDecay decoupled with AdamW, L2 with SGD; default 0
 * @param momentum of SGD; default 0
 * @param beta1 of AdamW; default 0.9
 * @param beta2 of AdamW; default 0.999
 * @param epsilon of AdamW; default 1e-8
 * @param seed of order and dropout; default 0
 * @param shuffle a new order every epoch; default true
 * @param checkpointEverySteps 0, the default: only when interrupted. Does not change results
 */
public record TrainOptions(
    OptimizerKind optimizer,
    double learningRate,
    Schedule schedule,
    long warmupSteps,
    int epochs,
    long maxSteps,
    int batchSize,
    int accumulation,
    double clip,
    double weightDecay,
    double momentum,
    double beta1,
    double beta2,
    double epsilon,
    long seed,
    boolean shuffle,
    long checkpointEverySteps) {
  private static final long DROPOUT_STREAM = 0x64726F706F757421L;

  /** The defaults named above. */
  public static final TrainOptions DEFAULT =
      new TrainOptions(
          OptimizerKind.ADAMW, 2e-4, Schedule.LINEAR, 0, 3, 0, 8, 1, 1, 0, 0, 0.9, 0.999, 1e-8, 0,
          true, 0);

  public TrainOptions {
    requireRange("learning rate", learningRate, 0, Double.MAX_VALUE);
    requireRange("warm-up steps", warmupSteps, 0, Long.MAX_VALUE);
    requireRange("epochs", epochs, 1, Integer.MAX_VALUE);
    requireRange("maximum of steps", maxSteps, 0, Long.MAX_VALUE);
    requireRange("batch size", batchSize, 1, Integer.MAX_VALUE);
    requireRange("accumulation", accumulation, 1, Integer.MAX_VALUE);
    requireRange("clip", clip, 0, Double.MAX_VALUE);
    requireRange("weight decay", weightDecay, 0, Double.MAX_VALUE);
    requireRange("momentum", momentum, 0, Math.nextDown(1.0));
    requireRange("beta1", beta1, 0, Math.nextDown(1.0));
    requireRange("beta2", beta2, 0, Math.nextDown(1.0));
    requireRange("epsilon", epsilon, 0, Double.MAX_VALUE);
    requireRange("checkpoint interval", checkpointEverySteps, 0, Long.MAX_VALUE);
  }

  /** A builder that starts at the defaults. */
  public static Builder builder() {
    return new Builder(DEFAULT);
  }

  /** A builder that starts at these options. */
  public Builder toBuilder() {
    return new Builder(this);
  }

  /** Seed of the dropout masks of a step, from 0. */
  public long dropoutSeed(long step) {
    return SplitMix64.bits(seed ^ DROPOUT_STREAM, step);
  }

  /** Samples of a full optimiser step. */
  long samplesPerStep() {
    return (long) batchSize * accumulation;
  }

  /** Optimiser steps of a pass over n samples; the last may hold fewer samples. */
  public long stepsPerEpoch(int n) {
    return Math.ceilDiv(n, samplesPerStep());
  }

  /** Optimiser steps of the whole run over n samples. */
  public long totalSteps(int n) {
    return maxSteps > 0 ? maxSteps : Math.multiplyExact(stepsPerEpoch(n), epochs);
  }

  /** Everything that a result depends on, so all but the checkpoint interval. */
  public ObjectNode toJson() {
    return StrictJson.newObject()
        .put("optimizer", optimizer.label())
        .put("learning_rate", learningRate)
        .put("schedule", schedule.label())
        .put("warmup_steps", warmupSteps)
        .put("epochs", epochs)
        .put("max_steps", maxSteps)
        .put("batch_size", batchSize)
        .put("accumulation", accumulation)
        .put("clip", clip)
        .put("weight_decay", weightDecay)
        .put("momentum", momentum)
        .put("beta1", beta1)
        .put("beta2", beta2)
        .put("epsilon", epsilon)
        .put("seed", seed)
        .put("shuffle", shuffle);
  }

  /** The reverse of {@link #toJson}. */
  public static TrainOptions fromJson(JsonFields f) {
    return new TrainOptions(
        OptimizerKind.of(f.text("optimizer")),
        number(f, "learning_rate"),
        Schedule.of(f.text("schedule")),
        f.integer("warmup_steps", 0, Long.MAX_VALUE),
        (int) f.integer("epochs", 1, Integer.MAX_VALUE),
        f.integer("max_steps", 0, Long.MAX_VALUE),
        (int) f.integer("batch_size", 1, Integer.MAX_VALUE),
        (int) f.integer("accumulation", 1, Integer.MAX_VALUE),
        number(f, "clip"),
        number(f, "weight_decay"),
        number(f, "momentum"),
        number(f, "beta1"),
        number(f, "beta2"),
        number(f, "epsilon"),
        f.integer("seed", Long.MIN_VALUE, Long.MAX_VALUE),
        f.flagOr("shuffle", true),
        0);
  }

  static double number(JsonFields f, String field) {
    f.required(field);
    return f.numberOr(field, 0, 0, Double.MAX_VALUE);
  }

  private static void requireRange(String what, double value, double min, double max) {
    if (!(value >= min && value <= max)) {
      throw new LetheException(
          "training options", "the " + what + " is out of range", min + " to " + max,
          Double.toString(value), "Pass another value.");
    }
  }

  /** Collects options; see the components of {@link TrainOptions}. */
  public static final class Builder {
    private OptimizerKind optimizer;
    private double learningRate;
    private Schedule schedule;
    private long warmupSteps;
    private int epochs;
    private long maxSteps;
    private int batchSize;
    private int accumulation;
    private double clip;
    private double weightDecay;
    private double momentum;
    private double beta1;
    private double beta2;
    private double epsilon;
    private long seed;
    private boolean shuffle;
    private long checkpointEverySteps;

    private Builder(TrainOptions from) {
      optimizer = from.optimizer;
      learningRate = from.learningRate;
      schedule = from.schedule;
      warmupSteps = from.warmupSteps;
      epochs = from.epochs;
      maxSteps = from.maxSteps;
      batchSize = from.batchSize;
      accumulation = from.accumulation;
      clip = from.clip;
      weightDecay = from.weightDecay;
      momentum = from.momentum;
      beta1 = from.beta1;
      beta2 = from.beta2;
      epsilon = from.epsilon;
      seed = from.seed;
      shuffle = from.shuffle;
      checkpointEverySteps = from.checkpointEverySteps;
    }

    public Builder optimizer(OptimizerKind value) {
      optimizer = value;
      return this;
    }

    public Builder learningRate(double value) {
      learningRate = value;
      return this;
    }

    public Builder schedule(Schedule value) {
      schedule = value;
      return this;
    }

    public Builder warmupSteps(long value) {
      warmupSteps = value;
      return this;
    }

    public Builder epochs(int value) {
      epochs = value;
      return this;
    }

    public Builder maxSteps(long value) {
      maxSteps = value;
      return this;
    }

    public Builder batchSize(int value) {
      batchSize = value;
      return this;
    }

    public Builder accumulation(int value) {
      accumulation = value;
      return this;
    }

    public Builder clip(double value) {
      clip = value;
      return this;
    }

    public Builder weightDecay(double value) {
      weightDecay = value;
      return this;
    }

    public Builder momentum(double value) {
      momentum = value;
      return this;
    }

    /** Both moving averages of AdamW. */
    public Builder betas(double first, double second) {
      beta1 = first;
      beta2 = second;
      return this;
    }

    public Builder epsilon(double value) {
      epsilon = value;
      return this;
    }

    public Builder seed(long value) {
      seed = value;
      return this;
    }

    public Builder shuffle(boolean value) {
      shuffle = value;
      return this;
    }

    public Builder checkpointEverySteps(long value) {
      checkpointEverySteps = value;
      return this;
    }

    /** The options, checked. */
    public TrainOptions build() {
      return new TrainOptions(
          optimizer, learningRate, schedule, warmupSteps, epochs, maxSteps, batchSize,
          accumulation, clip, weightDecay, momentum, beta1, beta2, epsilon, seed, shuffle,
          checkpointEverySteps);
    }
  }
}
