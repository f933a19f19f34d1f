package dev.lethe.cli.option;

import dev.lethe.Text;
import dev.lethe.data.DatasetReader;
import dev.lethe.data.RequestFiles;
import dev.lethe.data.Sample;
import dev.lethe.session.Session;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Option;

/** What to forget, and what instead. */
public final class RequestOptions {
  @Option(
      names = "--forget",
      paramLabel = "ID,ID|@FILE",
      description = "rows to forget; @FILE has one id a line")
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

  /** Refuses what cannot be, before anything is loaded. */
  public void check(LetheCommand command) {
    if (inOrder && (forget == null || replace == null)) {
      throw command.usage("--in-order needs --forget and --replace");
    }
    ids();
    command.option("--replace-field", () -> DatasetReader.requireFields(replaceFields, "--replace"));
  }

  /** The ids of --forget. */
  public List<String> ids() {
    return RequestFiles.ids(forget);
  }

  /** The request, checked against the rows. */
  public UnlearnRequest request(
      LetheCommand command, Session session, Session.Reading reading, List<Sample> rows) {
    List<String> ids = ids();
    if (replace == null) {
      return UnlearnRequest.of(rows, ids, List.of());
    }
    if (!inOrder) {
      return UnlearnRequest.of(
          rows, ids, session.replacements(replace, reading.withFields(replaceFields)));
    }
    List<Sample> unnamed = session.samples(replace, reading.withFields(replaceFields));
    if (unnamed.size() != ids.size()) {
      throw command.usage(
          Text.format(
              "--in-order pairs %d ids of --forget with %d rows of %s; there must be equally many",
              ids.size(), unnamed.size(), replace));
    }
    List<Sample> named = new ArrayList<>();
    for (int i = 0; i < ids.size(); i++) {
      Sample row = unnamed.get(i);
      named.add(new Sample(ids.get(i), row.inputIds(), row.labels(), row.hash()));
    }
    return UnlearnRequest.of(rows, ids, named);
  }
}
