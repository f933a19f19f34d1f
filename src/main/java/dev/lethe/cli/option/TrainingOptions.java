package dev.lethe.cli.option;

import dev.lethe.train.LossMean;
import dev.lethe.train.OptimizerKind;
import dev.lethe.train.Schedule;
import dev.lethe.train.TrainOptions;
import picocli.CommandLine.Option;

/** How to train, as options. */
public final class TrainingOptions {
  @Option(
      names = "--lr",
      paramLabel = "RATE",
      defaultValue = "2e-4",
      description = "learning rate (default: ${DEFAULT-VALUE})")
  double learningRate;

  @Option(
      names = "--epochs",
      paramLabel = "N",
      defaultValue = "3",
      description = "passes over the data (default: ${DEFAULT-VALUE})")
  int epochs;

  @Option(
      names = "--max-steps",
      paramLabel = "N",
      defaultValue = "0",
      description = "optimiser steps, instead of --epochs")
  long maxSteps;

  @Option(
      names = "--batch",
      paramLabel = "N",
      defaultValue = "8",
      description = "rows a forward pass (default: ${DEFAULT-VALUE})")
  int batch;

  @Option(
      names = "--accumulation",
      paramLabel = "N",
      defaultValue = "1",
      description = "forward passes a step (default: ${DEFAULT-VALUE})")
  int accumulation;

  @Option(
      names = "--loss-mean",
      paramLabel = "OVER",
      defaultValue = "rows",
      description = "rows, or tokens as PEFT's trainers: what a step's loss is the mean over (default: ${DEFAULT-VALUE})")
  String lossMean;

  @Option(
      names = "--optimizer",
      paramLabel = "NAME",
      defaultValue = "adamw",
      description = "adamw or sgd (default: ${DEFAULT-VALUE})")
  String optimizer;

  @Option(
      names = "--schedule",
      paramLabel = "NAME",
      defaultValue = "linear",
      description = "constant, linear or cosine (default: ${DEFAULT-VALUE})")
  String schedule;

  @Option(
      names = "--warmup",
      paramLabel = "N",
      defaultValue = "0",
      description = "steps in which the learning rate rises (default: ${DEFAULT-VALUE})")
  long warmup;

  @Option(
      names = "--clip",
      paramLabel = "NORM",
      defaultValue = "1",
      description = "largest gradient norm, 0 for none (default: ${DEFAULT-VALUE})")
  double clip;

  @Option(
      names = "--weight-decay",
      paramLabel = "W",
      defaultValue = "0",
      description = "decoupled with adamw, L2 with sgd (default: ${DEFAULT-VALUE})")
  double weightDecay;

  @Option(
      names = "--momentum",
      paramLabel = "M",
      defaultValue = "0",
      description = "of sgd (default: ${DEFAULT-VALUE})")
  double momentum;

  @Option(names = "--no-shuffle", description = "keep the data's order in every epoch")
  boolean noShuffle;

  @Option(
      names = "--checkpoint-every",
      paramLabel = "N",
      defaultValue = "100",
      description = "steps between saved states, 0 for none (default: ${DEFAULT-VALUE})")
  long checkpointEvery;

  private void check(LetheCommand command) {
    command.require(isSize(learningRate), "--lr is a number of 0 or more", learningRate);
    command.require(epochs >= 1, "--epochs is 1 or more", epochs);
    command.require(maxSteps >= 0, "--max-steps is 0 (as --epochs says) or more", maxSteps);
    command.require(batch >= 1, "--batch is 1 or more", batch);
    command.require(accumulation >= 1, "--accumulation is 1 or more", accumulation);
    command.require(warmup >= 0, "--warmup is 0 or more", warmup);
    command.require(isSize(clip), "--clip is 0 (none) or more", clip);
    command.require(isSize(weightDecay), "--weight-decay is a number of 0 or more", weightDecay);
    command.require(momentum >= 0 && momentum < 1, "--momentum is 0 or more and below 1", momentum);
    command.require(checkpointEvery >= 0, "--checkpoint-every is 0 (none) or more", checkpointEvery);
    OptimizerKind kind = command.option("--optimizer", () -> OptimizerKind.of(optimizer));
    command.require(
        momentum == 0 || kind == OptimizerKind.SGD, "--momentum belongs to --optimizer sgd", optimizer);
  }

  private static boolean isSize(double value) {
    return value >= 0 && Double.isFinite(value);
  }

  /** The options, checked. */
  public TrainOptions options(LetheCommand command, long seed) {
    check(command);
    return TrainOptions.builder()
        .optimizer(OptimizerKind.of(optimizer))
        .learningRate(learningRate)
        .schedule(command.option("--schedule", () -> Schedule.of(schedule)))
        .warmupSteps(warmup)
        .epochs(epochs)
        .maxSteps(maxSteps)
        .batchSize(batch)
        .accumulation(accumulation)
        .lossMean(command.option("--loss-mean", () -> LossMean.of(lossMean)))
        .clip(clip)
        .weightDecay(weightDecay)
        .momentum(momentum)
        .seed(seed)
        .shuffle(!noShuffle)
        .checkpointEverySteps(checkpointEvery)
        .build();
  }
}
