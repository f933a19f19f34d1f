package dev.lethe.cli.option;

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

  public TrainOptions options(long seed) {
    return TrainOptions.builder()
        .optimizer(OptimizerKind.of(optimizer))
        .learningRate(learningRate)
        .schedule(Schedule.of(schedule))
        .warmupSteps(warmup)
        .epochs(epochs)
        .maxSteps(maxSteps)
        .batchSize(batch)
        .accumulation(accumulation)
        .clip(clip)
        .weightDecay(weightDecay)
        .momentum(momentum)
        .seed(seed)
        .shuffle(!noShuffle)
        .checkpointEverySteps(checkpointEvery)
        .build();
  }
}
