package dev.lethe.cli.option;

import dev.lethe.Text;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.DatasetReader;
import dev.lethe.data.PromptForm;
import dev.lethe.data.PromptTemplate;
import dev.lethe.data.Sample;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.session.Session;
import dev.lethe.session.machine.Work;
import java.time.LocalDate;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Option;

/** How data sets are read and worked on. */
public final class DataOptions {
  private static final String BY_MODEL = "model";

  @Option(
      names = "--template",
      paramLabel = "NAME",
      description =
          "how a row becomes text: plain, qa, alpaca, alpaca-lora, tallrec, chat, or model for the chat template of the"
              + " model's folder (default: what fits the row's form; for conversations that template, where there is one)")
  String template;

  @Option(
      names = "--supervise",
      paramLabel = "TURNS",
      defaultValue = "all",
      description = "which of the assistant's turns are learned: all or last (default: ${DEFAULT-VALUE})")
  String supervise;

  @Option(
      names = "--day",
      paramLabel = "YYYY-MM-DD",
      description = "the date that chat templates which ask for it are told (default: today)")
  LocalDate day;

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
      description =
          "tokens worked on at a time, which decides memory (default: ${DEFAULT-VALUE}, or what fits where that is less)")
  long batchTokens;

  @Option(
      names = "--skip-bad-rows",
      description =
          "go on without rows that cannot be used, which are named; the training record and the certificate tell")
  boolean skipBadRows;

  /** Refuses what cannot be meant, before anything is loaded. */
  public void check(LetheCommand command) {
    command.require(maxLength == null || maxLength >= 1, "--max-length is 1 or more", maxLength);
    command.require(batchTokens >= 1, "--batch-tokens is 1 or more", batchTokens);
    command.option("--template", this::reading);
    command.option("--field", () -> DatasetReader.requireFields(fields, "column " + fields.values()));
  }

  /** A session that reads data sets so. */
  public Session in(Session session) {
    return session.skipBadRows(skipBadRows);
  }

  /** How rows become samples. */
  public Session.Reading reading() {
    boolean byModel = BY_MODEL.equals(template);
    PromptTemplate format = template == null || byModel ? null : PromptTemplate.byName(template);
    long longest = maxLength == null ? 0 : maxLength;
    return new Session.Reading(
        format, byModel, PromptForm.Supervise.byName(supervise), longest, fields, day);
  }

  /**
   * The limits with which work on rows fits into memory: those asked for, or the usual ones or less.
   *
   * @param fixed whether the usual ones must be kept, as where several processes share the work
   * @throws dev.lethe.backend.EnvironmentException where it cannot be done
   */
  public BatchLimits limits(
      LetheCommand command,
      Session session,
      Work work,
      AdaptedModel model,
      List<Sample> rows,
      boolean fixed) {
    PeftAdapterConfig adapter = model.adapter() == null ? null : model.adapter().config();
    boolean asked = command.given(List.of("--batch-tokens"));
    BatchLimits fitting = command.fitting(session.memoryPlan(adapter), work, rows, limits(), fixed || asked);
    if (fitting.maxTokens() < batchTokens) {
      command.console.err().println(
          Text.format(
              "lethe: %,d tokens are worked on at a time, because more would not fit into memory",
              fitting.maxTokens()));
    }
    return fitting;
  }

  /** The limits with which every one of several kinds of work fits. */
  public BatchLimits limits(
      LetheCommand command, Session session, List<Work> all, AdaptedModel model, List<Sample> rows) {
    return all.stream()
        .map(work -> limits(command, session, work, model, rows, work.smaller() == null))
        .min(Comparator.comparingLong(BatchLimits::maxTokens))
        .orElse(limits());
  }

  public BatchLimits limits() {
    return new BatchLimits(BatchLimits.DEFAULT.maxSamples(), batchTokens);
  }
}
