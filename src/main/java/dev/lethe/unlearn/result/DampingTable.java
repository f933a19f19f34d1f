package dev.lethe.unlearn.result;

import dev.lethe.Text;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import dev.lethe.format.file.OutputFolder;
import dev.lethe.nn.ParameterLayout;
import dev.lethe.solve.StopReason;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.node.ObjectNode;

/**
 * What one step of unlearning would be at each of several dampings, from one Krylov space: material
 * for a choice, made before any adapter is changed.
 *
 * @param lines in the order that was asked for
 * @param products vectors that the curvature was multiplied with, for all dampings together
 * @param seconds gradients, linearization and solve together
 */
public record DampingTable(List<Line> lines, long products, double seconds) {
  /** Name of the table in an output folder. */
  public static final String TABLE = "lethe_damping.json";

  /**
   * A damping.
   *
   * @param damping λ
   * @param iterations until its residual was within the tolerance
   * @param residual ‖(C+λI)Δ − b‖/‖b‖, recomputed from Δ
   * @param converged whether that is within the tolerance
   * @param reason why its iteration ended
   * @param stop the same in words
   * @param stepNorm ‖Δ‖
   * @param targetChange what the quadratic model of the target objective says that the step
   *     changes: −⟨b,Δ⟩ + ½Δᵀ(C + wd I)Δ, right where the adapter is at a minimum of what it was
   *     trained on
   * @param requestRise how much the mean loss of the request's rows rises to first order, of
   *     replaced rows that of the old version against the new one
   * @param step Δ, to be added to the adapter
   */
  public record Line(
      double damping,
      int iterations,
      double residual,
      boolean converged,
      StopReason reason,
      String stop,
      double stepNorm,
      double targetChange,
      double requestRise,
      ExactStep step) {
    /** Name of the step's file in an output folder. */
    public String file() {
      return "lethe_step_damping_" + damping + ".safetensors";
    }
  }

  /** A table for people. */
  public String toText() {
    StringBuilder text = new StringBuilder();
    text.append(
        Text.format(
            "%12s %10s %10s %12s %15s %14s  %s%n",
            "damping", "iterations", "residual", "step norm", "target change", "request rise", "end"));
    for (Line line : lines) {
      String end = line.reason.name().toLowerCase(Locale.ROOT).replace('_', ' ');
      text.append(
          Text.format(
              "%12.4g %10d %10.1e %12.4g %+15.4e %+14.4g  %s%n",
              line.damping, line.iterations, line.residual, line.stepNorm, line.targetChange,
              line.requestRise, end));
    }
    return text
        .append(Text.format("%,d products for all, %.1f s%n", products, seconds))
        .toString();
  }

  /** The same for machines, without the steps. */
  public ObjectNode toJson() {
    ObjectNode json = StrictJson.newObject().put("products", products).put("seconds", seconds);
    for (Line line : lines) {
      json.withArray("dampings")
          .addObject()
          .put("damping", line.damping)
          .put("iterations", line.iterations)
          .put("residual", line.residual)
          .put("converged", line.converged)
          .put("stop", line.stop)
          .put("step_norm", line.stepNorm)
          .put("target_change", line.targetChange)
          .put("request_rise", line.requestRise)
          .put("step", line.file());
    }
    return json;
  }

  /** Writes a folder with the table and a step file for each damping, whole or not at all. */
  public void write(Path out, ParameterLayout layout) {
    try (OutputFolder folder = OutputFolder.create(out)) {
      for (Line line : lines) {
        StepFile.write(folder.path().resolve(line.file()), layout, line.step);
      }
      AtomicFiles.writeText(folder.path().resolve(TABLE), StrictJson.write(toJson()));
      folder.commit();
    }
  }
}
