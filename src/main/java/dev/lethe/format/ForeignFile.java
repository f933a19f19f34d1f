package dev.lethe.format;

import dev.lethe.format.FormatException.Kind;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * Kinds of files that people put in the place of those that Lethe reads, recognised by their first bytes, so that a
 * complaint names the kind and the way out instead of what a parser stumbled over.
 */
public enum ForeignFile {
  SAFETENSORS("a safetensors file", "Give it as weights of a model or an adapter"),
  GIT_LFS("a Git-LFS pointer, not the file itself", Kind.LFS_POINTER.remedy(), "text:version https://git-lfs"),
  PARQUET("a Parquet file", Remedy.ROWS, "50415231", "50415245"),
  ARROW("an Arrow file", Remedy.ROWS, "4152524f573100"),
  FEATHER("a Feather file", Remedy.ROWS, "46454131"),
  AVRO("an Avro file", Remedy.ROWS, "4f626a01"),
  ORC("an ORC file", Remedy.ROWS, "4f524300", "4f524308", "4f52430a"),
  SQLITE("an SQLite database", Remedy.ROWS, "text:sqlite format 3"),
  HDF5("an HDF5 file", Remedy.OTHER_FORM, "894844460d0a1a0a"),
  NUMPY("a NumPy array", Remedy.OTHER_FORM, "934e554d5059"),
  GGUF("a GGUF file", "Give it as --model, if it is a whole model", "47475546"),
  GZIP("a gzip file", "Unpack it, as with gunzip", "1f8b08"),
  ZIP("a zip archive", "Unpack it; weights of PyTorch must be saved again as safetensors", "504b0304", "504b0506"),
  ZSTANDARD("a Zstandard file", "Unpack it, as with zstd -d", "28b52ffd"),
  XZ("an xz file", "Unpack it, as with unxz", "fd377a585a00"),
  BZIP2("a bzip2 file", "Unpack it, as with bunzip2", "425a6831", "425a6839"),
  SEVEN_ZIP("a 7-Zip archive", "Unpack it", "377abcaf271c"),
  TAR("a tar archive", "Unpack it, as with tar -x"),
  PICKLE("in Python's pickle form, which can run code when it is read", Remedy.OTHER_FORM),
  UTF_16("text in UTF-16", "Convert it, as with iconv -f UTF-16 -t UTF-8"),
  UTF_32("text in UTF-32", "Convert it, as with iconv -f UTF-32 -t UTF-8"),
  HTML("a web page", "Fetch the file itself: this is the page about it, or an error", "text:<!doctype html", "text:<html"),
  XML("an XML file", Remedy.OTHER_FORM, "text:<?xml"),
  PDF("a PDF file", Remedy.OTHER_FORM, "255044462d"),
  PICTURE("a picture", Remedy.OTHER_FORM, "89504e470d0a1a0a", "ffd8ff", "text:gif8"),
  PROGRAM("a program or a library", Remedy.OTHER_FORM, "7f454c46", "4d5a9000", "cffaedfe");

  /** Bytes from the start of a file that decide. */
  public static final int HEAD = 512;

  private static final String TEXT = "text:";
  private static final List<ForeignFile> ALL = List.of(values());
  private static final int TAR_MARK = 257;
  private static final byte[] TAR_NAME = "ustar".getBytes(StandardCharsets.US_ASCII);
  private static final int LENGTH_BYTES = 8;

  private final String title;
  private final String remedy;
  private final List<byte[]> marks = new ArrayList<>();
  private final List<String> beginnings = new ArrayList<>();

  /**
   * @param marks bytes that begin such a file, in hexadecimal digits, or after "text:" characters that begin its text
   */
  ForeignFile(String title, String remedy, String... marks) {
    this.title = title;
    this.remedy = remedy;
    for (String mark : marks) {
      if (mark.startsWith(TEXT)) {
        beginnings.add(mark.substring(TEXT.length()));
      } else {
        this.marks.add(HexFormat.of().parseHex(mark));
      }
    }
  }

  private static final class Remedy {
    private static final String ROWS =
        "Write its rows as JSON Lines; pandas does that with to_json(FILE, orient='records', lines=True)";
    private static final String OTHER_FORM = "Save weights as safetensors and data as JSON Lines";
  }

  /** What it is in words, with its article. */
  public String title() {
    return title;
  }

  /** What the reader can do. */
  public String remedy() {
    return remedy;
  }

  /**
   * The kind of a file; empty where it is none of these, which JSON text never is.
   *
   * @param head the first {@link #HEAD} bytes, or all of a shorter file; its position stays
   */
  public static Optional<ForeignFile> of(ByteBuffer head) {
    byte[] bytes = new byte[Math.min(HEAD, head.remaining())];
    head.get(head.position(), bytes);
    if (isSafeTensors(bytes)) {
      return Optional.of(SAFETENSORS);
    }
    Optional<ForeignFile> wide = wideText(bytes);
    if (wide.isPresent()) {
      return wide;
    }
    String text = text(bytes);
    for (ForeignFile kind : ALL) {
      if (kind.begins(bytes, text)) {
        return Optional.of(kind);
      }
    }
    return Optional.empty();
  }

  /**
   * Throws {@link FormatException} where a file is of one of these kinds and not of the wanted one.
   *
   * @param wanted null where text is wanted
   * @param expected what the file should be, in words
   */
  public static void refuse(Path file, ByteBuffer head, ForeignFile wanted, String expected) {
    Optional<ForeignFile> found = of(head);
    if (found.isPresent() && found.get() != wanted) {
      throw found.get().refusal(file, expected);
    }
  }

  private FormatException refusal(Path file, String expected) {
    Kind kind =
        switch (this) {
          case GIT_LFS -> Kind.LFS_POINTER;
          case PICKLE -> Kind.PICKLE;
          case UTF_16, UTF_32 -> Kind.ENCODING;
          default -> Kind.FOREIGN_FILE;
        };
    return new FormatException(kind, file.toString(), "this is " + title, expected, null, remedy);
  }

  private boolean begins(byte[] bytes, String text) {
    for (byte[] mark : marks) {
      if (startsWith(bytes, 0, mark)) {
        return true;
      }
    }
    for (String beginning : beginnings) {
      if (text.startsWith(beginning)) {
        return true;
      }
    }
    return switch (this) {
      case TAR -> startsWith(bytes, TAR_MARK, TAR_NAME);
      case PICKLE -> isPickle(bytes);
      case ARROW -> isArrowStream(bytes);
      default -> false;
    };
  }

  /** The protocol's opcode, its version 2 … 5 and another opcode. */
  private static boolean isPickle(byte[] bytes) {
    return bytes.length > 2 && bytes[0] == (byte) 0x80 && bytes[1] >= 2 && bytes[1] <= 5 && bytes[2] != 0;
  }

  /** A mark that continues and the length of the first message. */
  private static boolean isArrowStream(byte[] bytes) {
    return bytes.length >= LENGTH_BYTES
        && startsWith(bytes, 0, new byte[] {-1, -1, -1, -1})
        && bytes[LENGTH_BYTES - 1] == 0;
  }

  /** As ASCII in lower case without a byte-order mark and white space before it. */
  private static String text(byte[] bytes) {
    String latin = new String(bytes, StandardCharsets.ISO_8859_1);
    String unmarked = latin.startsWith("\u00EF\u00BB\u00BF") ? latin.substring(3) : latin;
    return unmarked.stripLeading().toLowerCase(Locale.ROOT);
  }

  /** The length of a header, and the brace that begins it; other marks may be such a length. */
  private static boolean isSafeTensors(byte[] bytes) {
    if (bytes.length <= LENGTH_BYTES || bytes[LENGTH_BYTES] != '{') {
      return false;
    }
    for (int i = 4; i < LENGTH_BYTES; i++) {
      if (bytes[i] != 0) {
        return false;
      }
    }
    return true;
  }

  /** By its byte-order mark, or because text never has a zero byte. */
  private static Optional<ForeignFile> wideText(byte[] bytes) {
    if (bytes.length < 4) {
      return Optional.empty();
    }
    int first = ByteBuffer.wrap(bytes).getInt();
    if (first == 0x0000FEFF || first == 0xFFFE0000 || isWide(bytes, 4)) {
      return Optional.of(UTF_32);
    }
    int mark = first >>> 16;
    return mark == 0xFEFF || mark == 0xFFFE || isWide(bytes, 2) ? Optional.of(UTF_16) : Optional.empty();
  }

  /** Whether two ASCII characters of so many bytes come first, in either order of bytes. */
  private static boolean isWide(byte[] bytes, int width) {
    return isWide(bytes, width, 0) || isWide(bytes, width, width - 1);
  }

  private static boolean isWide(byte[] bytes, int width, int place) {
    if (bytes.length < 2 * width) {
      return false;
    }
    for (int i = 0; i < 2 * width; i++) {
      boolean character = i % width == place;
      if (character ? !isAscii(bytes[i]) : bytes[i] != 0) {
        return false;
      }
    }
    return true;
  }

  private static boolean isAscii(byte value) {
    return value >= ' ' && value < 0x7F || value == '\n' || value == '\r' || value == '\t';
  }

  private static boolean startsWith(byte[] bytes, int from, byte[] mark) {
    return bytes.length >= from + mark.length
        && Arrays.equals(bytes, from, from + mark.length, mark, 0, mark.length);
  }
}
