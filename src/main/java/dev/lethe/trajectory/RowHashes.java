package dev.lethe.trajectory;

import dev.lethe.data.Sample;
import dev.lethe.format.Sha256;
import dev.lethe.train.RowEdits;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.GeneralSecurityException;
import java.util.HexFormat;
import java.util.List;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * Keyed hashes of rows: HMAC-SHA256 (RFC 2104) over the token ids and then the labels, each a little-endian
 * 32-bit integer. The key differs from training to training, so that equal rows of two adapters cannot be
 * recognised by their hashes alone.
 */
public final class RowHashes {
  private static final String ALGORITHM = "HmacSHA256";

  private RowHashes() {}

  /**
   * A key for a new trajectory, in hex: equal trainings get equal keys, and the rows have no part in it.
   *
   * @param parts what else the training depends on
   */
  public static String key(String... parts) {
    Sha256 hash = Sha256.start().add("lethe row key");
    for (String part : parts) {
      hash.add(part);
    }
    return hash.hex();
  }

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
    try {
      Mac mac = Mac.getInstance(ALGORITHM);
      mac.init(new SecretKeySpec(HexFormat.of().parseHex(key), ALGORITHM));
      return HexFormat.of().formatHex(mac.doFinal(bytes.array()));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every JDK has " + ALGORITHM, e);
    }
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
