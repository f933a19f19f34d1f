package dev.lethe.data;

import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.Place;
import dev.lethe.format.Sha256;
import dev.lethe.format.StrictJson;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Optional;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * The secret under which records and certificates name the contents of rows: HMAC-SHA256 (RFC 2104). Without it nobody
 * can try whether a row says what he guesses. Training makes one and keeps it beside the adapter; whoever gets the
 * adapter's other files does not need it.
 */
public final class RowKey {
  /** The key's file in an adapter's folder: hexadecimal, one line, readable by its owner only. */
  public static final String FILE = "lethe_row_key";

  private static final String ALGORITHM = "HmacSHA256";
  private static final int BYTES = 32;
  private static final int ID_DIGITS = 16;
  private static final Pattern HEX = Pattern.compile("([0-9a-f]{2}){16,64}");

  private final byte[] secret;

  private RowKey(byte[] secret) {
    this.secret = secret;
  }

  /** A new one, from the system's source of randomness. */
  public static RowKey random() {
    byte[] secret = new byte[BYTES];
    new SecureRandom().nextBytes(secret);
    return new RowKey(secret);
  }

  /**
   * The key that stands in a text.
   *
   * @param hex 16 to 64 bytes
   */
  public static RowKey of(String hex, String where) {
    if (!HEX.matcher(hex).matches()) {
      throw new Place(where).refuse(
          Kind.OUT_OF_RANGE, "there is no key of rows",
          "16 to 64 bytes in lower-case hexadecimal", hex.length() + " characters");
    }
    return new RowKey(HexFormat.of().parseHex(hex));
  }

  /** The key in a file. */
  public static RowKey read(Path file) {
    try {
      return of(Files.readString(file).strip(), file.toString());
    } catch (IOException e) {
      throw StrictJson.unreadable(file, e);
    }
  }

  /** The key beside an adapter, if there is one. */
  public static Optional<RowKey> beside(Path adapterDir) {
    Path file = adapterDir.resolve(FILE);
    return Files.exists(file) ? Optional.of(read(file)) : Optional.empty();
  }

  /** Writes it into an adapter's folder, for its owner's eyes only. */
  public void write(Path adapterDir) {
    Path file = adapterDir.resolve(FILE);
    boolean posix = file.getFileSystem().supportedFileAttributeViews().contains("posix");
    FileAttribute<?>[] owner =
        posix
            ? new FileAttribute<?>[] {
              PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))
            }
            : new FileAttribute<?>[0];
    try {
      if (!Files.exists(file)) {
        Files.createFile(file, owner);
      }
      Files.writeString(file, hex() + "\n");
    } catch (IOException e) {
      throw StrictJson.unreadable(file, e);
    }
  }

  /** The secret itself. */
  public String hex() {
    return HexFormat.of().formatHex(secret);
  }

  /** What tells keys apart and says nothing of the secret. */
  public String id() {
    return Sha256.start().add("lethe row key").add(hex()).hex().substring(0, ID_DIGITS);
  }

  /** The keyed hash of a plain one, in hex. */
  public String of(String hash) {
    return mac(hash.getBytes(StandardCharsets.UTF_8));
  }

  /** The keyed hash of bytes, in hex. */
  public String mac(byte[] bytes) {
    try {
      Mac mac = Mac.getInstance(ALGORITHM);
      mac.init(new SecretKeySpec(secret, ALGORITHM));
      return HexFormat.of().formatHex(mac.doFinal(bytes));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every JDK has " + ALGORITHM, e);
    }
  }

  /** Its {@link #id}. */
  @Override
  public String toString() {
    return "row key " + id();
  }
}
