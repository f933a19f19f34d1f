package dev.lethe.assess.record;

import dev.lethe.format.AtomicFiles;
import dev.lethe.format.OutputFolder;
import dev.lethe.format.StrictJson;
import java.nio.file.Path;
import java.util.Map;

/** The folder of an assessment. */
public final class AssessmentFolder {
  /** The record. */
  public static final String RECORD = "assessment.json";

  private AssessmentFolder() {}

  /**
   * Writes a new folder, whole or not at all.
   *
   * @param pages further files by name, such as a report
   */
  public static void write(Path target, AssessmentRecord record, Map<String, String> pages) {
    try (OutputFolder out = OutputFolder.create(target)) {
      AtomicFiles.writeText(out.path().resolve(RECORD), StrictJson.write(AssessmentJson.of(record)));
      pages.forEach((name, text) -> AtomicFiles.writeText(out.path().resolve(name), text));
      out.commit();
    }
  }
}
