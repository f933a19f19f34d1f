package dev.lethe.session;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.data.LoadedRows;
import dev.lethe.data.RequestFiles;
import dev.lethe.data.RowDigest.Match;
import dev.lethe.data.RowKey;
import dev.lethe.data.Sample;
import dev.lethe.train.TrainingRecord;
import dev.lethe.unlearn.request.EarlierRequests;
import dev.lethe.unlearn.request.RowCopies;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Turns what people write into a request to the adapter of a folder, against the rows that its data file has. */
public final class RequestReader {
  private final Path adapterDir;
  private final LoadedRows loaded;
  private final EarlierRequests earlier;

  /**
   * @param adapterDir with what training and earlier requests left
   * @param loaded all rows of the data file
   */
  public RequestReader(Path adapterDir, LoadedRows loaded) {
    this.adapterDir = adapterDir;
    this.loaded = loaded;
    this.earlier = EarlierRequests.read(adapterDir);
  }

  /**
   * The ids of a specification, see {@link RequestFiles}.
   *
   * @throws LetheException for a row that an earlier request removed
   */
  public List<String> ids(String spec) {
    Set<String> known = new HashSet<>();
    loaded.samples().forEach(row -> known.add(row.id()));
    List<String> ids = RequestFiles.ids(spec, known);
    earlier.requireNotRemoved(ids, loaded.samples());
    return ids;
  }

  /**
   * The request.
   *
   * @param ids of {@link #ids}
   * @param replacements new versions, with their originals' ids
   * @param copies which copies of requested rows are taken along; null for none
   */
  public UnlearnRequest request(List<String> ids, List<Sample> replacements, RowCopies.Kind copies) {
    List<String> named = new ArrayList<>(ids);
    replacements.forEach(row -> named.add(row.id()));
    requireSamePositions(named);
    UnlearnRequest request = UnlearnRequest.of(loaded.samples(), ids, replacements).after(earlier);
    if (!loaded.skipped().isEmpty()) {
      request =
          request.noting(
              Text.format(
                  "%,d rows of the data file cannot be used and were skipped: %s",
                  loaded.skipped().size(), lines()));
    }
    return copies == null ? request : request.withCopies(copies);
  }

  private String lines() {
    int most = 20;
    List<String> shown = loaded.skipped().stream().limit(most).map(line -> line.toString()).toList();
    int more = loaded.skipped().size() - shown.size();
    return "lines " + String.join(", ", shown) + (more > 0 ? Text.format(" and %,d more", more) : "");
  }

  /** Ids that positions gave mean the rows of the training only where the data are as they were. */
  private void requireSamePositions(List<String> ids) {
    Optional<TrainingRecord> record =
        TrainingRecord.read(adapterDir).filter(r -> r.rows().contentsSha256() != null);
    if (!loaded.idsByPosition() || ids.isEmpty() || record.isEmpty()) {
      return;
    }
    Match match = record.get().matchContents(earlier.left(loaded.samples()));
    if (match == Match.SAME) {
      return;
    }
    if (match == Match.UNKNOWN) {
      throw new LetheException(
          adapterDir.toString(),
          "rows of the data are known by their place in the file, and without its key the record cannot tell whether"
              + " the file is the one of the training",
          RowKey.FILE + " with the key " + record.get().digest().keyId(),
          RowKey.beside(adapterDir).map(key -> "another key, " + key.id()).orElse("no key"),
          "Put the key that training made back into the folder, or give rows an 'id' before training.");
    }
    throw new LetheException(
        adapterDir.resolve(TrainingRecord.FILE).toString(),
        "rows of the data are known by their place in the file, and the file is not the one of the training",
        "the same rows in the same order",
        "others: some were dropped, moved or changed, so that an id may name another row",
        "Give the file that the adapter was trained on, or give rows an 'id' before training.");
  }
}
