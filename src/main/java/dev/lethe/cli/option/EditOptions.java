package dev.lethe.cli.option;

import dev.lethe.data.DatasetReader;
import dev.lethe.data.RequestFiles;
import dev.lethe.data.Sample;
import dev.lethe.session.Session;
import dev.lethe.train.Divisor;
import dev.lethe.train.RowEdits;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import picocli.CommandLine.Option;

/** Training as if some rows had not been there, or had been others. */
public final class EditOptions {
  @Option(
      names = "--without",
      paramLabel = "IDS",
      description =
          "train without these rows, in the order and batches of all rows; ids as unlearn --forget takes them")
  private String without;

  @Option(
      names = "--replace",
      paramLabel = "FILE",
      description = "rows to train on in the place of those with their ids")
  private Path replace;

  @Option(
      names = "--replace-field",
      paramLabel = "FIELD=COLUMN",
      description = "as --field, for --replace")
  private Map<String, String> replaceFields = new LinkedHashMap<>();

  @Option(
      names = "--in-order",
      description = "the rows of --replace have no ids and stand for those of --without, in order")
  private boolean inOrder;

  @Option(
      names = "--divisor",
      paramLabel = "D",
      defaultValue = "keep",
      description =
          "keep: a row of --without keeps its slot at weight 0; shrink: its batch's mean is over the rows"
              + " that are left (default: ${DEFAULT-VALUE})")
  private String divisor;

  /** Refuses what cannot be meant, before anything is loaded. */
  public void check(LetheCommand command) {
    command.option("--divisor", () -> Divisor.of(divisor));
    if (inOrder && (without == null || replace == null)) {
      throw command.usage("--in-order needs --without and --replace");
    }
    RequestFiles.check(without);
    command.option("--replace-field", () -> DatasetReader.requireFields(replaceFields, "--replace"));
  }

  /** The edits, checked against the training rows. */
  public RowEdits edits(
      LetheCommand command, Session session, Session.Reading reading, List<Sample> rows) {
    Divisor kind = Divisor.of(divisor);
    Set<String> known = rows.stream().map(Sample::id).collect(Collectors.toSet());
    List<String> ids = RequestFiles.ids(without, known);
    if (ids.isEmpty() && replace == null) {
      return RowEdits.NONE;
    }
    List<Sample> replacements =
        Replacements.read(
            command, session, reading.withFields(replaceFields), replace, inOrder, ids, "--without");
    return RowEdits.of(rows, ids, replacements, kind);
  }
}
