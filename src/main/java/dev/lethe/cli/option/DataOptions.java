package dev.lethe.cli.option;

import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.PromptTemplate;
import dev.lethe.session.Session;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine.Option;

/** How data sets are read and worked on. */
public final class DataOptions {
  @Option(
      names = "--template",
      paramLabel = "NAME",
      description =
          "how a row becomes text: plain, qa, alpaca or chat (default: what fits the row's form)")
  String template;

  @Option(
      names = "--field",
      paramLabel = "FIELD=COLUMN",
      description = "read a field from another column, as in question=paraphrased_question")
  public Map<String, String> fields = new LinkedHashMap<>();

  @Option(
      names = "--max-length",
      paramLabel = "N",
      description = "refuse rows of more tokens (default: the model's context)")
  Long maxLength;

  @Option(
      names = "--batch-tokens",
      paramLabel = "N",
      defaultValue = "4096",
      description = "tokens worked on at a time, which decides memory (default: ${DEFAULT-VALUE})")
  long batchTokens;

  @Option(
      names = "--skip-bad-rows",
      description =
          "go on without rows that cannot be used, which are named; the training record and the certificate tell")
  boolean skipBadRows;

  /** A session that reads data sets so, and tells what of them is not used. */
  public Session in(LetheCommand command, Session session) {
    return session
        .skipBadRows(skipBadRows)
        .tell(note -> command.console.err().println("lethe: " + note));
  }

  /** How rows become samples. */
  public Session.Reading reading() {
    PromptTemplate format = template == null ? null : PromptTemplate.byName(template);
    return new Session.Reading(format, maxLength == null ? 0 : maxLength, fields);
  }

  public BatchLimits limits() {
    return new BatchLimits(BatchLimits.DEFAULT.maxSamples(), batchTokens);
  }
}
