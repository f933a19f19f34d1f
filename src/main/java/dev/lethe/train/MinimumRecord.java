package dev.lethe.train;

import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import tools.jackson.databind.node.ObjectNode;

/**
 * Where {@code train --to-minimum} came to; kept beside the adapter as {@value #FILE}.
 *
 * @param l2 W of the objective, loss + ½·W·‖θ‖²
 * @param objective its value there
 * @param gradientNorm of the objective
 * @param converged whether the norm is as small as was asked
 * @param steps Newton steps taken
 */
public record MinimumRecord(
    double l2, double objective, double gradientNorm, boolean converged, int steps) {
  /** The record's file name. */
  public static final String FILE = "lethe_minimum.json";

  private static final long MAX_BYTES = 1 << 20;

  /** The W of the objective that an adapter is a minimum of, where its folder says so. */
  public static Optional<Double> l2(Path adapterDir) {
    Path file = adapterDir.resolve(FILE);
    return Files.exists(file)
        ? Optional.of(StrictJson.readObject(file, MAX_BYTES).path("l2").asDouble(0))
        : Optional.empty();
  }

  /** Says of an adapter that was changed since which W its objective has, and nothing of where that lies. */
  public static void writeL2(Path adapterDir, double l2) {
    AtomicFiles.writeText(
        adapterDir.resolve(FILE), StrictJson.write(StrictJson.newObject().put("l2", l2)));
  }

  /** Writes it into an adapter's folder. */
  public void write(Path adapterDir) {
    ObjectNode json = StrictJson.newObject();
    addTo(json);
    AtomicFiles.writeText(adapterDir.resolve(FILE), StrictJson.write(json));
  }

  /** Adds the fields to a JSON object. */
  public void addTo(ObjectNode json) {
    json.put("l2", l2)
        .put("objective", objective)
        .put("gradient_norm", gradientNorm)
        .put("converged", converged)
        .put("newton_steps", steps);
  }
}
