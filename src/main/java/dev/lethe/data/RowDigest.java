package dev.lethe.data;

import java.nio.file.Path;

/**
 * How a record names the contents of rows: by keyed hashes, or by plain ones as records did before there were keys.
 *
 * @param keyId of the key; null for plain hashes
 * @param key null for plain hashes, and where the key is lost
 */
public record RowDigest(String keyId, RowKey key) {
  /** By the hashes themselves. */
  public static final RowDigest PLAIN = new RowDigest(null, null);

  /** What a comparison found. */
  public enum Match {
    SAME,
    OTHER,
    /** Nobody can tell without the key. */
    UNKNOWN
  }

  /** Under a key. */
  public static RowDigest by(RowKey key) {
    return new RowDigest(key.id(), key);
  }

  /**
   * Of a record in an adapter's folder.
   *
   * @param keyId that the record names; null for none
   */
  public static RowDigest of(String keyId, Path adapterDir) {
    RowKey beside = keyId == null ? null : RowKey.beside(adapterDir).orElse(null);
    return new RowDigest(keyId, beside != null && beside.id().equals(keyId) ? beside : null);
  }

  /** Whether hashes are plain: whoever guesses a row can test his guess. */
  public boolean isPlain() {
    return keyId == null;
  }

  /** Whether the key is not there, so that nothing can be compared. */
  public boolean isLost() {
    return keyId != null && key == null;
  }

  /** What a record says of a content hash; null where the key is lost. */
  public String of(String hash) {
    if (isPlain()) {
      return hash;
    }
    return key == null ? null : key.of(hash);
  }

  /** Whether a record's hash is that of a content hash; null is the hash of nothing that is known. */
  public Match match(String recorded, String hash) {
    String here = of(hash);
    if (recorded == null || here == null) {
      return Match.UNKNOWN;
    }
    return recorded.equals(here) ? Match.SAME : Match.OTHER;
  }
}
