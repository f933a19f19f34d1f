package dev.lethe.unlearn.request;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.data.NearIds;
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
 */
public record EarlierRequests(Path certificate, List<Changed> changes, List<String> chain) {
  /** Name of a certificate in an adapter's folder. */
  public static final String CERTIFICATE = "lethe_certificate.json";

  /** Of an adapter that training left. */
  public static final EarlierRequests NONE = new EarlierRequests(null, List.of(), List.of());

  private static final long MAX_BYTES = 1L << 30;

  public EarlierRequests {
    changes = List.copyOf(changes);
    chain = List.copyOf(chain);
  }

  /**
   * One row.
   *
   * @param oldSha256 content hash before the request
   * @param newSha256 content hash after it; null for a removal
   */
  public record Changed(String id, String change, String oldSha256, String newSha256) {
    /** Whether the row went. */
    public boolean removed() {
      return newSha256 == null;
    }
  }

  /** Of the adapter in a folder; {@link #NONE} where no certificate lies there. */
  public static EarlierRequests read(Path adapterDir) {
    Path file = adapterDir.resolve(CERTIFICATE);
    if (!Files.exists(file)) {
      return NONE;
    }
    ObjectNode page = StrictJson.readObject(file, MAX_BYTES);
    JsonFields asked = new JsonFields(page, file.toString()).objectOrNull("request");
    List<Changed> changes = new ArrayList<>();
    if (asked != null) {
      addAll(asked.node().path("earlier"), file, changes);
      addAll(asked.node().path("changes"), file, changes);
    }
    List<String> chain = new ArrayList<>(new JsonFields(page, file.toString()).strings("chain"));
    chain.add(Sha256.ofBytes(file));
    return new EarlierRequests(file, changes, chain);
  }

  private static void addAll(JsonNode rows, Path file, List<Changed> changes) {
    for (JsonNode row : rows) {
      if (!(row instanceof ObjectNode object)) {
        throw new JsonFields(StrictJson.newObject(), file.toString()).wrongType("changes", row, "objects");
      }
      JsonFields f = new JsonFields(object, file.toString());
      changes.add(
          new Changed(
              f.required("id").asString(),
              f.required("change").asString(),
              f.required("oldSha256").asString(),
              f.stringOr("newSha256", null)));
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
            .filter(id -> !byId.containsKey(id) || byId.get(id).hash().equals(gone.get(id).oldSha256))
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

  /** The rows that the adapter still rests on: without those that were removed, under their ids with their contents. */
  public List<Sample> left(List<Sample> data) {
    Map<String, Changed> gone = removed();
    requireCurrent(data);
    return gone.isEmpty()
        ? data
        : data.stream()
            .filter(row -> !gone.containsKey(row.id()) || !gone.get(row.id()).oldSha256.equals(row.hash()))
            .toList();
  }

  /** Refuses rows in a version that an earlier request replaced. */
  private void requireCurrent(List<Sample> data) {
    Map<String, Changed> replaced = new HashMap<>();
    changes.stream().filter(c -> !c.removed()).forEach(c -> replaced.put(c.id, c));
    List<String> stale =
        data.stream()
            .filter(row -> replaced.containsKey(row.id()))
            .filter(row -> row.hash().equals(replaced.get(row.id()).oldSha256))
            .filter(row -> !row.hash().equals(replaced.get(row.id()).newSha256))
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
