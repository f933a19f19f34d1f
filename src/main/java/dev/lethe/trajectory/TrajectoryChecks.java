package dev.lethe.trajectory;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.format.FormatException;
import dev.lethe.format.JsonFields;
import dev.lethe.format.Sha256;
import dev.lethe.format.StrictJson;
import dev.lethe.nn.AdaptedModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.node.ObjectNode;

/** What must hold for a trajectory's files before anything is computed from them. */
final class TrajectoryChecks {
  private TrajectoryChecks() {}

  /** Refuses the trajectory of another model or adapter. */
  static void requireSame(Path folder, TrajectoryHeader header, AdaptedModel model) {
    Path adapterDir = folder.toAbsolutePath().getParent();
    requireSame(folder, "model", header.provenance().modelSha256(), model.model().sha256());
    requireSame(
        folder, "adapter configuration", header.configSha256(),
        Sha256.ofBytes(adapterDir.resolve(TrajectoryFiles.CONFIG)));
    requireSame(
        folder, "adapter", header.adapterSha256(),
        Sha256.ofBytes(adapterDir.resolve(TrajectoryFiles.ADAPTER)));
  }

  private static void requireSame(Path folder, String what, String expected, String got) {
    if (!expected.equals(got)) {
      throw new LetheException(
          folder.toString(), "the trajectory belongs to another " + what,
          "SHA-256 " + expected, got,
          Text.format(
              "Use the %s that this trajectory was written with, or a method that needs none.",
              what));
    }
  }

  static List<LoggedRow> rows(Path folder) {
    Path file = folder.resolve(TrajectoryFiles.ROWS);
    List<LoggedRow> rows = new ArrayList<>();
    Set<String> ids = new HashSet<>();
    for (String line : lines(file)) {
      String where = file + ":" + (rows.size() + 1);
      if (!(StrictJson.parse(line, where) instanceof ObjectNode object)) {
        throw wrong(where, "a row is no JSON object", "an object", line);
      }
      JsonFields f = new JsonFields(object, where);
      f.required("id");
      f.required("hash");
      if (object.size() != 2) {
        throw wrong(where, "a field is unknown", "'id' and 'hash'", object.propertyNames().toString());
      }
      LoggedRow row = new LoggedRow(f.stringOr("id", ""), f.stringOr("hash", ""));
      if (!ids.add(row.id())) {
        throw wrong(where, "two rows have the same id", "every id once", "'" + row.id() + "'");
      }
      rows.add(row);
    }
    if (rows.isEmpty()) {
      throw wrong(file.toString(), "the trajectory has no rows", "at least one", "none");
    }
    return List.copyOf(rows);
  }

  static List<StepLines.Line> steps(Path folder, int count, int rows) {
    Path file = folder.resolve(TrajectoryFiles.STEPS);
    List<StepLines.Line> steps = new ArrayList<>();
    for (String line : lines(file)) {
      steps.add(StepLines.read(line, file + ":" + (steps.size() + 1), rows));
    }
    if (steps.size() != count) {
      throw cutOff(file, count + " steps", steps.size() + " steps");
    }
    return List.copyOf(steps);
  }

  /** Refuses a file of gradients that does not hold all steps, or more. */
  static void requireSize(Path file, int steps, long rowBytes) throws IOException {
    long expected = Math.multiplyExact(steps, rowBytes);
    long size = Files.exists(file) ? Files.size(file) : 0;
    if (size != expected) {
      throw cutOff(
          file, Text.format("%,d bytes, %d steps", expected, steps),
          Text.format("%,d bytes, %d whole steps", size, size / rowBytes));
    }
  }

  static FormatException unreadable(Path folder, IOException e) {
    return new FormatException(
        FormatException.Kind.UNREADABLE, folder.toString(), "the trajectory cannot be read", null,
        e.toString(), "Check that its files exist and may be read.", e);
  }

  private static List<String> lines(Path file) {
    return StrictJson.readText(file, TrajectoryFiles.MAX_TEXT).lines().toList();
  }

  private static FormatException cutOff(Path file, String expected, String got) {
    return new FormatException(
        FormatException.Kind.TRUNCATED, file.toString(), "the trajectory was cut off or mixed up",
        expected, got, "Copy the whole folder again, or choose a method that needs no trajectory.");
  }

  private static FormatException wrong(
      String where, String problem, String expected, String got) {
    return new FormatException(
        FormatException.Kind.UNSUPPORTED, where, problem, expected, got,
        "See docs/trajectory.md, and write the trajectory again.");
  }
}
