package dev.lethe.unlearn.request;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.data.NearIds;
import dev.lethe.data.RowDigest.Match;
import dev.lethe.data.RowDigest;
import dev.lethe.data.RowKey;
import dev.lethe.data.Sample;
import dev.lethe.format.JsonFields;
import dev.lethe.format.Sha256;
import dev.lethe.format.StrictJson;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What earlier requests changed in the training rows of an adapter, as the certificate in its folder says.
 *
 * @param certificate its file; null where there is none
 * @param changes oldest first
 * @param chain SHA-256 of the certificates, oldest first
 * @param digest how the changes name the contents of rows
 * @param key of the adapter's training, under which the next certificate names them; null where there is none
 */
public record EarlierRequests(
    Path certificate, List<Changed> changes, List<String> chain, RowDigest digest, RowKey key) {
  /** Name of a certificate in an adapter's folder. */
  public static final String CERTIFICATE = "lethe_certificate.json";

  /** Of an adapter that training left. */
  public static final EarlierRequests NONE = new EarlierRequests(null, List.of(), List.of(), RowDigest.PLAIN, null);

  private static final long MAX_BYTES = 1L << 30;

  public EarlierRequests {
    changes = List.copyOf(changes);
    chain = List.copyOf(chain);
  }

  /**
   * One row.
   *
   * @param oldHash of the contents before the request; null where its key was lost
   * @param newHash of the contents after it; null for a removal, and where its key was lost
   */
  public record Changed(String id, String change, String oldHash, String newHash) {
    private static final String REMOVED = "removed";

    /** Whether the row went. */
    public boolean removed() {
      return change.equals(REMOVED);
    }
  }

  /** Of the adapter in a folder; {@link #NONE} where no certificate lies there. */
  public static EarlierRequests read(Path adapterDir) {
    Path file = adapterDir.resolve(CERTIFICATE);
    RowKey key = RowKey.beside(adapterDir).orElse(null);
    if (!Files.exists(file)) {
      return new EarlierRequests(null, List.of(), List.of(), RowDigest.PLAIN, key);
    }
    ObjectNode page = StrictJson.readObject(file, MAX_BYTES);
    JsonFields asked = new JsonFields(page, file.toString()).objectOrNull("request");
    JsonFields hashes = new JsonFields(page, file.toString()).objectOrNull("hashes");
    String keyId = hashes == null ? null : hashes.stringOr("rowKeyId", null);
    List<Changed> changes = new ArrayList<>();
    if (asked != null) {
      addAll(asked.node().path("earlier"), file, changes);
      addAll(asked.node().path("changes"), file, changes);
    }
    List<String> chain = new ArrayList<>(new JsonFields(page, file.toString()).strings("chain"));
    chain.add(Sha256.ofBytes(file));
    return new EarlierRequests(file, changes, chain, RowDigest.of(keyId, adapterDir), key);
  }

  private static void addAll(JsonNode rows, Path file, List<Changed> changes) {
    for (JsonNode row : rows) {
      if (!(row instanceof ObjectNode object)) {
        throw new JsonFields(StrictJson.newObject(), file.toString()).wrongType("changes", row, "objects");
      }
      JsonFields f = new JsonFields(object, file.toString());
      changes.add(
          new Changed(
              f.text("id"),
              f.text("change"),
              f.stringOr("oldHash", f.stringOr("oldSha256", null)),
              f.stringOr("newHash", f.stringOr("newSha256", null))));
    }
  }

  /**
   * Refuses a request for rows that are gone already.
   *
   * @param data the rows as they were read; a row of another content under such an id is another row
   */
  public void requireNotRemoved(Collection<String> ids, List<Sample> data) {
    Map<String, Changed> gone = removed();
    if (gone.isEmpty()) {
      return;
    }
    Map<String, Sample> byId = new HashMap<>();
    data.forEach(row -> byId.put(row.id(), row));
    List<String> again =
        ids.stream()
            .filter(gone::containsKey)
            .filter(id -> !byId.containsKey(id) || mayBe(byId.get(id), gone.get(id).oldHash))
            .toList();
    if (!again.isEmpty()) {
      throw new LetheException(
          certificate.toString(),
          "rows were removed from this adapter already",
          "rows that it still rests on",
          quoted(again),
          "Take them out of the request.");
    }
  }

  /** What a person should know of how these requests name rows; empty where there is nothing. */
  public List<String> remarks() {
    if (changes.isEmpty()) {
      return List.of();
    }
    if (digest.isLost()) {
      return List.of(
          Text.format(
              "the key of earlier requests' row hashes (%s) is not beside the adapter: rows are told by their ids"
                  + " alone",
              digest.keyId()));
    }
    return digest.isPlain()
        ? List.of(
            "earlier certificates name rows by plain hashes, which whoever has them can test guesses with; this one"
                + " names them under a key")
        : List.of();
  }

  /** Whether a row is the one of a hash, or nobody can tell. */
  private boolean mayBe(Sample row, String recorded) {
    return digest.match(recorded, row.hash()) != Match.OTHER;
  }

  /** The rows that the adapter still rests on: without those that were removed, under their ids with their contents. */
  public List<Sample> left(List<Sample> data) {
    Map<String, Changed> gone = removed();
    requireCurrent(data);
    return gone.isEmpty()
        ? data
        : data.stream()
            .filter(row -> !gone.containsKey(row.id()) || !mayBe(row, gone.get(row.id()).oldHash))
            .toList();
  }

  /** Refuses rows in a version that an earlier request replaced. */
  private void requireCurrent(List<Sample> data) {
    Map<String, Changed> replaced = new HashMap<>();
    changes.stream().filter(c -> !c.removed()).forEach(c -> replaced.put(c.id, c));
    List<String> stale =
        data.stream()
            .filter(row -> replaced.containsKey(row.id()))
            .filter(row -> digest.match(replaced.get(row.id()).oldHash, row.hash()) == Match.SAME)
            .filter(row -> digest.match(replaced.get(row.id()).newHash, row.hash()) == Match.OTHER)
            .map(Sample::id)
            .toList();
    if (!stale.isEmpty()) {
      throw new LetheException(
          certificate.toString(),
          "an earlier request replaced rows of which the data have the old version",
          "the new versions, under the same ids",
          quoted(stale),
          "Put the new versions into the data file.");
    }
  }

  private Map<String, Changed> removed() {
    Map<String, Changed> gone = new HashMap<>();
    changes.stream().filter(Changed::removed).forEach(c -> gone.put(c.id, c));
    return gone;
  }

  private static String quoted(List<String> ids) {
    String shown = ids.stream().limit(NearIds.SHOWN).map(Text::quote).collect(Collectors.joining(", "));
    return ids.size() > NearIds.SHOWN
        ? shown + Text.format(" and %,d more", ids.size() - NearIds.SHOWN)
        : shown;
  }
}
