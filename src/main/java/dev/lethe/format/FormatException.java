package dev.lethe.format;

import dev.lethe.LetheException;

/** A file or folder that cannot be read or written; {@link #kind} says in which way. */
public final class FormatException extends LetheException {
  private static final long serialVersionUID = 1;

  private final Kind kind;

  /** See {@link LetheException} for the parts of the message. */
  public FormatException(
      Kind kind, String where, String problem, String expected, String got, String remedy) {
    this(kind, where, problem, expected, got, remedy, null);
  }

  /** As the other constructor, with the failure underneath. */
  public FormatException(
      Kind kind,
      String where,
      String problem,
      String expected,
      String got,
      String remedy,
      Throwable cause) {
    super(where, problem, expected, got, remedy, cause);
    this.kind = kind;
  }

  public Kind kind() {
    return kind;
  }

  /** The ways to be wrong, one case each. */
  public enum Kind {
    /** A file or folder that must be there is not, or is not what it must be. */
    FILE_MISSING,
    /** The system refuses to read. */
    UNREADABLE,
    /** A Git-LFS pointer stands in place of the file. */
    LFS_POINTER,
    /** Weights in pickle form, which would run code. */
    PICKLE,
    /** Shorter than its own header says. */
    TRUNCATED,
    /** The header's length is impossible or over the limit. */
    HEADER_LENGTH,
    /** Not UTF-8. */
    ENCODING,
    /** Not JSON. */
    JSON_SYNTAX,
    /** The same key twice in one JSON object. */
    DUPLICATE_KEY,
    /** A JSON value of the wrong type. */
    WRONG_TYPE,
    /** A required field is absent. */
    MISSING_FIELD,
    /** A number or a size outside its bounds. */
    OUT_OF_RANGE,
    /** More entries than any honest file has. */
    TOO_MANY,
    /** Larger than the limit for files of its kind. */
    TOO_LARGE,
    /** A number format that Lethe does not know. */
    UNKNOWN_DTYPE,
    /** More dimensions than supported. */
    RANK,
    /** Elements or bytes leave 64 bits. */
    OVERFLOW,
    /** A tensor's byte range is reversed or outside the file. */
    BAD_OFFSETS,
    /** A tensor's byte range does not fit its shape and format. */
    SIZE_MISMATCH,
    /** Tensors overlap or leave a hole. */
    NOT_CONTIGUOUS,
    /** Bytes after the last tensor. */
    TRAILING_BYTES,
    /** A name that the file or folder does not have. */
    UNKNOWN_TENSOR,
    /** A shard name that is no plain name or leads outside its folder. */
    SHARD_PATH,
    /** The index and its shards disagree. */
    SHARD_MISMATCH,
    /** Something that Lethe does not support and must not ignore. */
    UNSUPPORTED,
    /** Adapter tensors that do not fit the adapter's configuration. */
    ADAPTER_MISMATCH,
    /** A weight that is NaN or infinite. */
    NOT_FINITE,
    /** A pattern that is no regular expression or runs too long. */
    BAD_PATTERN,
    /** A data-set row of no known form, or of two. */
    ROW_FORM,
    /** The same row id twice. */
    DUPLICATE_ID,
    /** A data set without rows. */
    NO_ROWS,
    /** A row that does not fit the model's context. */
    TOO_LONG,
    /** Nothing in the row is supervised. */
    NO_SUPERVISION,
    /** A token id that the vocabulary does not have. */
    TOKEN_RANGE,
    /** Text rows without a tokenizer, or a template that cannot render a row. */
    CANNOT_ENCODE,
    /** The tokenizer library cannot be used here. */
    TOKENIZER_LIBRARY,
    /** The tokenizer's own file is refused by the library. */
    TOKENIZER_FILE,
    /** The output exists already. */
    OUTPUT_EXISTS,
    /** Another run is making the output. */
    OUTPUT_TAKEN,
    /** Writing failed, for example on a full disk. */
    WRITE_FAILED
  }
}
