package dev.lethe.cli;

import dev.lethe.LetheException;
import dev.lethe.influence.Curvature;
import dev.lethe.influence.SolverOptions;
import dev.lethe.train.OptimizerKind;
import dev.lethe.train.TrainingRecord;
import dev.lethe.unlearn.Eraser;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Which linear system, and how it is solved. */
final class SolveOptions {
  /** Of the weight decay, where an adapter lies at a minimum that has its own. */
  private static final double AT_MINIMUM = 0.2;

  @Option(
      names = "--curvature",
      paramLabel = "C",
      defaultValue = "ggn",
      description = "ggn, hessian, fisher or ekfac (default: ${DEFAULT-VALUE})")
  String curvature;

  @Option(
      names = "--solver",
      paramLabel = "S",
      defaultValue = "cg",
      description = "cg, minres, lissa, sgd, direct or block-cg (default: ${DEFAULT-VALUE})")
  String solver;

  @Option(
      names = "--damping",
      paramLabel = "L",
      description =
          "lambda of C + lambda I: a number, or auto, which takes it from the adapter's training"
              + " record (default: auto where there is a record, otherwise 1)")
  String damping;

  @Option(
      names = "--l2",
      paramLabel = "W",
      description =
          "weight decay of the training objective's W/2*|theta|^2"
              + " (default: what train --to-minimum recorded, otherwise 0)")
  Double l2;

  @Option(
      names = "--tolerance",
      paramLabel = "T",
      defaultValue = "1e-4",
      description = "relative residual to solve to (default: ${DEFAULT-VALUE})")
  double tolerance;

  @Option(
      names = "--max-iterations",
      paramLabel = "N",
      defaultValue = "200",
      description = "the most iterations of a solve (default: ${DEFAULT-VALUE})")
  int maxIterations;

  Curvature kind() {
    return Curvature.of(curvature);
  }

  SolverOptions limits(long seed) {
    return SolverOptions.of(tolerance, maxIterations, seed);
  }

  /** Refuses what cannot be, before anything is loaded. */
  void check(LetheCommand command, Path adapterDir) {
    kind();
    if (l2 != null && !(l2 >= 0)) {
      throw command.usage("--l2 must not be negative, got " + l2);
    }
    boolean given = isGiven();
    if (given) {
      number(command);
    }
    if (damping != null && !given && TrainingRecord.read(adapterDir).isEmpty()) {
      throw new LetheException(
          "--damping auto",
          "the adapter has no training record",
          adapterDir.resolve(TrainingRecord.FILE) + ", which lethe train writes",
          "no such file",
          "Pass a number, such as --damping 1.");
    }
  }

  /** Hands the choices to an eraser, whose defaults are the same. */
  void apply(LetheCommand command, Path adapterDir, Eraser.Builder eraser) {
    Optional<TrainingRecord> record = TrainingRecord.read(adapterDir);
    record.ifPresent(r -> eraser.trainingRecord(r, adapterDir));
    Optional<Double> minimum = MinimumOptions.recordedL2(adapterDir);
    if (l2 != null || minimum.isPresent()) {
      eraser.weightDecay(weightDecay(record, minimum));
    }
    if (isGiven() || minimum.isPresent() && damping == null) {
      eraser.damping(choose(command, adapterDir).damping);
    }
  }

  /**
   * What is added to the curvature.
   *
   * @param damping lambda
   * @param from who chose it, in words
   * @param weightDecay of the objective
   */
  record Chosen(double damping, String from, double weightDecay) {}

  /** The choices for an adapter. */
  Chosen choose(LetheCommand command, Path adapterDir) {
    Optional<TrainingRecord> record = TrainingRecord.read(adapterDir);
    Optional<Double> minimum = MinimumOptions.recordedL2(adapterDir);
    double decay = weightDecay(record, minimum);
    if (isGiven()) {
      return new Chosen(number(command), "given", decay);
    }
    if (damping == null && minimum.isPresent()) {
      double part = AT_MINIMUM * decay;
      return new Chosen(part, "a part of the weight decay, at a minimum", decay);
    }
    return record
        .map(r -> new Chosen(r.autoDamping(), "auto, from the training record", decay))
        .orElse(new Chosen(Eraser.DEFAULT_DAMPING, "default", decay));
  }

  private double weightDecay(Optional<TrainingRecord> record, Optional<Double> minimum) {
    if (l2 != null) {
      return l2;
    }
    if (minimum.isPresent()) {
      return minimum.get();
    }
    return record
        .filter(r -> r.optimizer() == OptimizerKind.SGD)
        .map(TrainingRecord::weightDecay)
        .orElse(0.0);
  }

  private boolean isGiven() {
    return damping != null && !damping.equals("auto");
  }

  private double number(LetheCommand command) {
    double value;
    try {
      value = Double.parseDouble(damping);
    } catch (NumberFormatException e) {
      throw command.usage("--damping is a number or auto, got " + damping);
    }
    if (!(value >= 0) || Double.isInfinite(value)) {
      throw command.usage("--damping must not be negative, got " + damping);
    }
    return value;
  }
}
