package dev.lethe.format;

import dev.lethe.LetheException;
import java.util.List;

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

  /** Several complaints, the first of which has the kind. */
  public FormatException(
      Kind kind, String where, String problem, List<String> each, String remedy, Throwable cause) {
    super(where, problem, each, remedy, cause);
    this.kind = kind;
  }

  public Kind kind() {
    return kind;
  }

  /** The ways to be wrong, one case each, and what usually helps. */
  public enum Kind {
    /** A file or folder that must be there is not, or is not what it must be. */
    FILE_MISSING("Check the path"),
    /** The system refuses to read. */
    UNREADABLE("Check that it exists and may be read"),
    /** A Git-LFS pointer stands in place of the file. */
    LFS_POINTER("Run 'git lfs pull' in the folder that it came from"),
    /** Weights in pickle form, which would run code. */
    PICKLE("Save it with save_pretrained(…, safe_serialization=True)"),
    /** Of another kind than it must be, recognised by its first bytes. */
    FOREIGN_FILE("Convert the file"),
    /** Shorter than its own header says. */
    TRUNCATED("Fetch the file again; the download was probably cut off"),
    /** The header's length is impossible or over the limit. */
    HEADER_LENGTH("Check that this is a safetensors file; fetch it again"),
    /** Not UTF-8. */
    ENCODING("Convert the file to UTF-8 or fetch it again"),
    /** Not JSON. */
    JSON_SYNTAX("Fetch the file again"),
    /** The same key twice in one JSON object. */
    DUPLICATE_KEY("Fetch the file again; readers disagree on which value counts"),
    /** A JSON value of the wrong type. */
    WRONG_TYPE("Correct the field, or fetch the file again"),
    /** A required field is absent. */
    MISSING_FIELD("Check that this is the right file and of a supported kind"),
    /** A number or a size outside its bounds. */
    OUT_OF_RANGE("Fetch the file again; no supported model has such a value"),
    /** More entries than any honest file has. */
    TOO_MANY("Fetch the file again; no model has that many"),
    /** Larger than the limit for files of its kind. */
    TOO_LARGE("Check that it is the right file"),
    /** A number format that Lethe does not know. */
    UNKNOWN_DTYPE("Convert the model to F32, F16 or BF16"),
    /** More dimensions than supported. */
    RANK("Fetch the file again; no model has such tensors"),
    /** Elements or bytes leave 64 bits. */
    OVERFLOW("Fetch the file again; this header is wrong or hostile"),
    /** A tensor's byte range is reversed or outside the file. */
    BAD_OFFSETS("Fetch the file again"),
    /** A tensor's byte range does not fit its shape and format. */
    SIZE_MISMATCH("Fetch the file again"),
    /** Tensors overlap or leave a hole. */
    NOT_CONTIGUOUS("Fetch the file again"),
    /** Bytes after the last tensor. */
    TRAILING_BYTES("Fetch the file again; something was appended to it"),
    /** A name that the file or folder does not have. */
    UNKNOWN_TENSOR("Check that the file belongs to this model"),
    /** A shard name that is no plain name or leads outside its folder. */
    SHARD_PATH("Do not trust this model; a Hugging Face cache of links can be copied with 'cp -rL'"),
    /** The index and its shards disagree. */
    SHARD_MISMATCH("Fetch the whole model again"),
    /** Something that Lethe does not support and must not ignore. */
    UNSUPPORTED("Use a plain LoRA adapter of linear layers"),
    /** Adapter tensors that do not fit the adapter's configuration. */
    ADAPTER_MISMATCH("Check that the files of the adapter belong together"),
    /** A weight that is NaN or infinite. */
    NOT_FINITE("The training that made this file diverged; use an earlier checkpoint"),
    /** A pattern that is no regular expression or runs too long. */
    BAD_PATTERN("Write the modules as a list of names"),
    /** A data-set row of no known form, or of two. */
    ROW_FORM("Rename the fields or map them"),
    /** The same row id twice. */
    DUPLICATE_ID("Give every row its own id, or give ids to none"),
    /** A data set without rows. */
    NO_ROWS("Check that it is the right file"),
    /** A row that does not fit the model's context. */
    TOO_LONG("Shorten or remove the row; nothing is truncated silently"),
    /** Nothing in the row is supervised. */
    NO_SUPERVISION("Give the row a response or remove it"),
    /** A token id that the vocabulary does not have. */
    TOKEN_RANGE("Use the tokenizer that belongs to the model"),
    /** Text rows without a tokenizer, or a template that cannot render a row. */
    CANNOT_ENCODE("Use token rows, which need no tokenizer"),
    /** The tokenizer library cannot be used here. */
    TOKENIZER_LIBRARY("Use data sets of input_ids and labels, which need no tokenizer"),
    /** The tokenizer's own file is refused by the library. */
    TOKENIZER_FILE("Fetch the file again"),
    /** Another file than when it was opened. */
    CHANGED("Leave the files alone while they are in use, and run again; what was computed may be wrong"),
    /** The output exists already. */
    OUTPUT_EXISTS("Choose another name or delete it first"),
    /** Another run is making the output. */
    OUTPUT_TAKEN("Choose another name, or wait for that run to end"),
    /** Writing failed, for example on a full disk. */
    WRITE_FAILED("Make room, or choose another place that can be written");

    private final String remedy;

    Kind(String remedy) {
      this.remedy = remedy;
    }

    /** What the reader can do, where there is no more to say. */
    public String remedy() {
      return remedy;
    }
  }
}
