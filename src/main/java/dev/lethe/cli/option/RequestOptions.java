package dev.lethe.cli.option;

import dev.lethe.data.DatasetReader;
import dev.lethe.data.LoadedRows;
import dev.lethe.data.RequestFiles;
import dev.lethe.data.Sample;
import dev.lethe.session.RequestReader;
import dev.lethe.session.Session;
import dev.lethe.unlearn.request.RowCopies;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Option;

/** What to forget, and what instead. */
public final class RequestOptions {
  @Option(
      names = "--forget",
      paramLabel = "ID,ID|@FILE",
      description =
          "rows to forget: ids, ranges (3-9), \"quoted ids\", or a JSON list; @FILE has one a line, and # comments")
  private String forget;

  @Option(
      names = "--replace",
      paramLabel = "FILE",
      description = "new versions of rows, each with the id of the row that it replaces")
  private Path replace;

  @Option(
      names = "--replace-field",
      paramLabel = "FIELD=COLUMN",
      description = "as --field, for the --replace file")
  private Map<String, String> replaceFields = new LinkedHashMap<>();

  @Option(
      names = "--in-order",
      description = "the rows of --replace have no ids and stand for those of --forget, in order")
  private boolean inOrder;

  @Option(
      names = "--with-copies",
      arity = "0..1",
      fallbackValue = "exact",
      paramLabel = "exact|near",
      description =
          "take rows along that say the same as requested ones (exact, also without a value), or nearly the same"
              + " (near: apart from case, white space and Unicode's compositions)")
  private String withCopies;

  /** Refuses what cannot be, before anything is loaded. */
  public void check(LetheCommand command) {
    copies(command);
    if (inOrder && (forget == null || replace == null)) {
      throw command.usage("--in-order needs --forget and --replace");
    }
    RequestFiles.check(forget);
    command.option("--replace-field", () -> DatasetReader.requireFields(replaceFields, "--replace"));
  }

  /** The request to an adapter, checked against the rows and against what earlier requests did. */
  public UnlearnRequest request(
      LetheCommand command, Session session, Session.Reading reading, Path adapterDir, LoadedRows rows) {
    RequestReader reader = new RequestReader(adapterDir, rows);
    List<String> ids = reader.ids(forget);
    UnlearnRequest request =
        reader.request(ids, replacements(command, session, reading, ids), copies(command));
    request.copies().sentences().forEach(line -> command.console.err().println("lethe: " + line));
    return request;
  }

  private RowCopies.Kind copies(LetheCommand command) {
    return switch (withCopies) {
      case null -> null;
      case "exact" -> RowCopies.Kind.EXACT;
      case "near" -> RowCopies.Kind.NEAR;
      default -> throw command.usage("--with-copies is exact or near, got " + withCopies);
    };
  }

  private List<Sample> replacements(
      LetheCommand command, Session session, Session.Reading reading, List<String> ids) {
    return Replacements.read(
        command, session, reading.withFields(replaceFields), replace, inOrder, ids, "--forget");
  }
}
