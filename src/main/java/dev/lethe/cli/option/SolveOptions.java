package dev.lethe.cli.option;

import dev.lethe.Text;
import dev.lethe.curvature.Curvature;
import dev.lethe.solve.SolverOptions;
import dev.lethe.unlearn.DampingRule;
import dev.lethe.unlearn.Eraser;
import dev.lethe.unlearn.EraserOptions;
import java.nio.file.Path;
import picocli.CommandLine.Option;

/** Which linear system, and how it is solved. */
public final class SolveOptions {
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
  public String solver;

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
  public double tolerance;

  @Option(
      names = "--max-iterations",
      paramLabel = "N",
      defaultValue = "200",
      description = "the most iterations of a solve (default: ${DEFAULT-VALUE})")
  public int maxIterations;

  public Curvature kind() {
    return Curvature.of(curvature);
  }

  public SolverOptions limits(long seed) {
    return SolverOptions.of(tolerance, maxIterations, seed);
  }

  /** Refuses what cannot be, before anything is loaded. */
  public void check(LetheCommand command, Path adapterDir) {
    command.option("--curvature", this::kind);
    command.require(
        EraserOptions.solvers().contains(solver),
        "--solver is one of " + String.join(", ", EraserOptions.solvers()), Text.quote(solver));
    requireWeightDecay(command, l2);
    command.require(tolerance > 0 && tolerance < 1, "--tolerance is above 0 and below 1", tolerance);
    command.require(maxIterations >= 1, "--max-iterations is 1 or more", maxIterations);
    choose(command, adapterDir);
  }

  static void requireWeightDecay(LetheCommand command, Double l2) {
    command.require(
        l2 == null || l2 >= 0 && l2 < EraserOptions.MAX_WEIGHT_DECAY,
        Text.format("--l2 is 0 or more and below %.0e", EraserOptions.MAX_WEIGHT_DECAY), l2);
  }

  /** Hands the choices to an eraser, whose defaults are the same. */
  public void apply(LetheCommand command, Path adapterDir, Eraser.Builder eraser) {
    eraser.trainedIn(adapterDir);
    if (l2 != null) {
      eraser.weightDecay(l2);
    }
    if (isAutomatic()) {
      eraser.automaticDamping();
    } else if (damping != null) {
      eraser.damping(number(command));
    }
  }

  /** The choices for an adapter. */
  public DampingRule.Chosen choose(LetheCommand command, Path adapterDir) {
    DampingRule rule = DampingRule.forAdapter(adapterDir);
    return isAutomatic()
        ? rule.automatic(l2)
        : rule.choose(damping == null ? null : number(command), l2);
  }

  private boolean isAutomatic() {
    return "auto".equals(damping);
  }

  private double number(LetheCommand command) {
    double value;
    try {
      value = Double.parseDouble(damping);
    } catch (NumberFormatException e) {
      throw command.usage("--damping is a number or auto; got " + Text.quote(damping));
    }
    command.require(
        value >= 0 && Double.isFinite(value), "--damping is a finite number of 0 or more, or auto", damping);
    return value;
  }
}
