package dev.lethe.cli.option;

import dev.lethe.nn.ParameterLayout;
import dev.lethe.session.InterruptedRun;
import dev.lethe.unlearn.Eraser;
import dev.lethe.unlearn.EraserMonitor;
import dev.lethe.unlearn.result.DampingTable;
import dev.lethe.unlearn.result.UnlearnInterrupted;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Option;

/** A table of dampings instead of a new adapter. */
public final class SweepOptions {
  @Option(
      names = "--damping-sweep",
      paramLabel = "L,L",
      split = ",",
      description = {
        "make no adapter: solve for all these dampings in one Krylov space, print what each would",
        "do, and write the table and a step file of each to --out"
      })
  private List<Double> dampings = List.of();

  /** Whether a sweep is asked for. */
  public boolean asked() {
    return !dampings.isEmpty();
  }

  /** Refuses options that mean nothing beside a sweep, and dampings that are none. */
  public void check(LetheCommand command, SolveOptions solve, int outerSteps, boolean resume) {
    if (!asked()) {
      return;
    }
    if (solve.damping != null || !solve.solver.equals("cg") || outerSteps != 1 || resume) {
      throw command.usage(
          "--damping-sweep goes without --damping, --solver, --outer-steps and --resume");
    }
    for (double damping : dampings) {
      command.require(
          damping >= 0 && Double.isFinite(damping),
          "--damping-sweep takes finite numbers of 0 or more", damping);
    }
    command.require(
        dampings.stream().distinct().count() == dampings.size(),
        "--damping-sweep takes each number once", dampings);
  }

  /** Solves for all dampings. */
  public DampingTable table(Eraser eraser, EraserMonitor watch) {
    try {
      return eraser.sweep(dampings, watch);
    } catch (UnlearnInterrupted e) {
      throw new InterruptedRun("interrupted; nothing was written. Run the same command again.");
    }
  }

  /** Writes and prints. */
  public void report(LetheCommand command, DampingTable table, ParameterLayout layout, Path out) {
    table.write(out, layout);
    if (command.output.json) {
      command.print(table.toJson());
    } else {
      command.console.out().print(table.toText());
      command.print(
          out + " holds the table and a step file for each. Choose one: unlearn with --damping L.");
    }
  }
}
