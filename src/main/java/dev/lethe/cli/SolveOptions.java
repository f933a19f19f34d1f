package dev.lethe.cli;

import dev.lethe.LetheException;
import dev.lethe.influence.Curvature;
import dev.lethe.influence.SolverOptions;
import dev.lethe.train.TrainingRecord;
import dev.lethe.unlearn.Eraser;
import java.nio.file.Path;
import java.util.Optional;
import picocli.CommandLine.Option;

/** Which linear system, and how it is solved. */
final class SolveOptions {
  @Option(
      names = "--curvature",
      paramLabel = "C",
      defaultValue = "ggn",
      description = "ggn, hessian or fisher (default: ${DEFAULT-VALUE})")
  String curvature;

  @Option(
      names = "--solver",
      paramLabel = "S",
      defaultValue = "cg",
      description = "cg, minres, lissa, sgd or direct (default: ${DEFAULT-VALUE})")
  String solver;

  @Option(
      names = "--damping",
      paramLabel = "L",
      description =
          "lambda of C + lambda I: a number, or auto, which takes it from the adapter's training"
              + " record (default: auto where there is a record, otherwise 0.1)")
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

  /**
   * What is added to the curvature.
   *
   * @param damping lambda
   * @param from who chose it, in words
   * @param weightDecay of the objective
   */
  record Chosen(double damping, String from, double weightDecay) {}

  /** Chooses damping and weight decay for an adapter. */
  Chosen choose(LetheCommand command, Path adapterDir) {
    Optional<Double> recorded = MinimumOptions.recordedL2(adapterDir);
    double weightDecay = l2 != null ? l2 : recorded.orElse(0.0);
    if (!(weightDecay >= 0)) {
      throw command.usage("--l2 must not be negative, got " + weightDecay);
    }
    if (damping != null && !damping.equals("auto")) {
      return new Chosen(number(command), "given", weightDecay);
    }
    if (damping == null && weightDecay > 0) {
      return new Chosen(0, "none: the objective has its own weight decay", weightDecay);
    }
    Optional<TrainingRecord> record = TrainingRecord.read(adapterDir);
    if (record.isPresent()) {
      return new Chosen(
          record.get().autoDamping(), "from " + TrainingRecord.FILE, weightDecay);
    }
    if (damping == null) {
      return new Chosen(Eraser.DEFAULT_DAMPING, "default", weightDecay);
    }
    throw new LetheException(
        "--damping auto",
        "the adapter has no training record",
        adapterDir.resolve(TrainingRecord.FILE) + ", which lethe train writes",
        "no such file",
        "Pass a number, such as --damping 0.1.");
  }

  private double number(LetheCommand command) {
    try {
      double value = Double.parseDouble(damping);
      if (value >= 0 && Double.isFinite(value)) {
        return value;
      }
    } catch (NumberFormatException e) {
      throw command.usage("--damping is a number or auto, got " + damping);
    }
    throw command.usage("--damping must not be negative, got " + damping);
  }
}
