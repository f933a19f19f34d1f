package dev.lethe.study;

import dev.lethe.LetheException;
import dev.lethe.format.JsonFields;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import tools.jackson.databind.node.ObjectNode;

/**
 * A study on disk: what its commands made, and beside it a note for each step that says with which command line and in
 * what time. A step whose note is there is not done again.
 */
public final class StudyFolder {
  /** Stands for the study's folder in command lines. */
  static final String OUT = "$OUT";

  /** Stands for the folder of the plan's files in command lines. */
  static final String FILES = "$FILES";

  private static final long MAX_NOTE = 1 << 20;

  private final Path out;
  private final Path files;

  /**
   * @param out the study's folder
   * @param files what the plan's paths are relative to
   */
  public StudyFolder(Path out, Path files) {
    this.out = out.toAbsolutePath().normalize();
    this.files = files.toAbsolutePath().normalize();
  }

  /** How a step ended: in seconds, or with what its command said when it refused. */
  public record Note(double seconds, String refusal) {
    /** Whether the command did not do it. */
    public boolean refused() {
      return refusal != null;
    }
  }

  /** What the words of a command line stand for here. */
  public List<String> args(StudyStep step) {
    return step.args().stream()
        .map(word -> word.replace(OUT, out.toString()).replace(FILES, files.toString()))
        .toList();
  }

  /** A place below the study's folder. */
  public Path at(String name) {
    return out.resolve(name);
  }

  /** The rows of data, as command lines name them. */
  static String rows(String data) {
    return OUT + "/data/" + data + ".jsonl";
  }

  /** Copies the lines of each data set that the plan takes. */
  public void writeData(StudyPlan plan) {
    plan.data().forEach((name, data) -> {
      Path file = out.resolve("data").resolve(name + ".jsonl");
      if (!Files.exists(file)) {
        AtomicFiles.writeText(file, lines(name, data));
      }
    });
  }

  private String lines(String name, StudyPlan.Data data) {
    Path file = files.resolve(data.file());
    try (BufferedReader reader = Files.newBufferedReader(file)) {
      List<String> lines =
          reader.lines()
              .filter(line -> !line.isBlank())
              .skip(data.skip())
              .limit(data.first() == 0 ? Long.MAX_VALUE : data.first())
              .toList();
      boolean enough = !lines.isEmpty() && (data.first() == 0 || lines.size() == data.first());
      if (!enough || lines.getFirst().startsWith("[")) {
        throw new LetheException(
            file.toString(), "the plan's data '" + name + "' are not in the file",
            data.skip() + data.first() + " lines, a row each", lines.size() + " after those that are skipped",
            "Correct 'skip' and 'first', or write a row a line.");
      }
      return lines.stream().collect(Collectors.joining("\n", "", "\n"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** How a step ended; empty where it is still to be done. */
  public Optional<Note> note(StudyStep step) {
    Path file = file(step);
    if (!Files.exists(file)) {
      return Optional.empty();
    }
    JsonFields f = new JsonFields(StrictJson.readObject(file, MAX_NOTE), file.toString());
    List<String> before = f.strings("command");
    if (!before.equals(step.args())) {
      throw new LetheException(
          file.toString(), "the step was done by another command line", String.join(" ", step.args()),
          String.join(" ", before), "Take another --out for another plan, or delete this file and what the step made.");
    }
    boolean done = f.has("refusal") || f.has("seconds");
    boolean whole = f.has("refusal") || step.output() == null || Files.exists(out.resolve(step.output()));
    return done && whole
        ? Optional.of(new Note(f.numberOr("seconds", 0, 0, Double.MAX_VALUE), f.stringOr("refusal", null)))
        : Optional.empty();
  }

  /** Notes that a step is done, or that its command refused it. */
  public void write(StudyStep step, Note note) {
    ObjectNode json = StrictJson.newObject();
    var command = json.putArray("command");
    step.args().forEach(command::add);
    json.put("seconds", note.seconds);
    if (note.refused()) {
      json.put("refusal", note.refusal);
    }
    AtomicFiles.writeText(file(step), StrictJson.write(json));
  }

  private Path file(StudyStep step) {
    return out.resolve("steps").resolve(step.name() + ".json");
  }
}
