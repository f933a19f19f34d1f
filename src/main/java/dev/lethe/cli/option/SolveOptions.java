package dev.lethe.cli.option;

import dev.lethe.curvature.Curvature;
import dev.lethe.solve.SolverOptions;
import dev.lethe.unlearn.DampingRule;
import dev.lethe.unlearn.Eraser;
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
    kind();
    if (l2 != null && !(l2 >= 0)) {
      throw command.usage("--l2 must not be negative, got " + l2);
    }
    choose(command, adapterDir);
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
      throw command.usage("--damping is a number or auto, got " + damping);
    }
    if (!(value >= 0) || Double.isInfinite(value)) {
      throw command.usage("--damping must not be negative, got " + damping);
    }
    return value;
  }
}
