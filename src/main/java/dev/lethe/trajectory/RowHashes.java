package dev.lethe.trajectory;

import dev.lethe.data.RowKey;
import dev.lethe.data.Sample;
import dev.lethe.train.RowEdits;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * Keyed hashes of rows: HMAC-SHA256 (RFC 2104) over the token ids and then the labels, each a little-endian
 * 32-bit integer. The key is that of the training, see {@link RowKey}, so that equal rows of two adapters cannot be
 * recognised by their hashes alone.
 */
public final class RowHashes {
  private RowHashes() {}

  /** The hash of one row, in hex. */
  public static String hash(String key, Sample row) {
    ByteBuffer bytes =
        ByteBuffer.allocate(Math.multiplyExact(8, row.length())).order(ByteOrder.LITTLE_ENDIAN);
    for (int id : row.inputIds()) {
      bytes.putInt(id);
    }
    for (int label : row.labels()) {
      bytes.putInt(label);
    }
    return RowKey.of(key, "row_key").mac(bytes.array());
  }

  /** What a trajectory says of rows that a training with edits reads. */
  public static List<LoggedRow> of(String key, List<Sample> rows, RowEdits edits) {
    return rows.stream()
        .map(
            row -> {
              Sample read = edits.apply(row);
              return new LoggedRow(row.id(), read == null ? "" : hash(key, read));
            })
        .toList();
  }

  /**
   * The rows of a trajectory after a request on it.
   *
   * @param rows of the trajectory so far; rows that were removed before stay removed
   */
  public static List<LoggedRow> edited(String key, List<LoggedRow> rows, RowEdits edits) {
    return rows.stream()
        .map(
            row -> {
              Sample replacement = edits.replacements().get(row.id());
              String hash = replacement == null ? row.hash() : hash(key, replacement);
              boolean gone = row.removed() || edits.removed().contains(row.id());
              return new LoggedRow(row.id(), gone ? "" : hash);
            })
        .toList();
  }
}
