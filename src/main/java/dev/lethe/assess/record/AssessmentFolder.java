package dev.lethe.assess.record;

import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import dev.lethe.format.file.OutputFolder;
import java.nio.file.Path;
import java.security.PrivateKey;

/** The folder of an assessment. */
public final class AssessmentFolder {
  /** The record. */
  public static final String RECORD = "assessment.json";

  /** The page for people. */
  public static final String REPORT = "report.html";

  private AssessmentFolder() {}

  /**
   * Writes a new folder, whole or not at all.
   *
   * @param report the page for people
   * @param key signs the hash chain; null for none
   */
  public static void write(Path target, AssessmentRecord record, String report, PrivateKey key) {
    try (OutputFolder out = OutputFolder.create(target)) {
      AtomicFiles.writeText(out.path().resolve(RECORD), StrictJson.write(AssessmentJson.of(record)));
      AtomicFiles.writeText(out.path().resolve(REPORT), report);
      AtomicFiles.writeText(out.path().resolve(Manifest.FILE), StrictJson.write(Manifest.of(out.path(), key)));
      out.commit();
    }
  }
}
