package dev.lethe.data;

import dev.lethe.data.PromptTemplate.Piece;
import dev.lethe.data.Row.TokenRow;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Turns rows into samples. A row of text becomes {@code [bos] prompt response [eos]}, where prompt
 * and response are tokenised separately and the response and its end token are supervised; a row of
 * tokens is taken as it is. Nothing is truncated.
 */
public final class Encoder {
  private final Tokenizer tokenizer;
  private final PromptTemplate template;
  private final long maxLength;
  private final long vocabSize;

  /** An encoder that takes the tokenizer's vocabulary as the bound of token ids. */
  public Encoder(Tokenizer tokenizer, PromptTemplate template, long maxLength) {
    this(
        tokenizer,
        template,
        maxLength,
        tokenizer == null ? Integer.MAX_VALUE : tokenizer.vocabSize());
  }

  /**
   * An encoder for a model.
   *
   * @param tokenizer null where all rows are tokens
   * @param template null for each row's default format
   * @param maxLength the most tokens a sample may have: the model's context
   * @param vocabSize token ids must be below this
   */
  public Encoder(Tokenizer tokenizer, PromptTemplate template, long maxLength, long vocabSize) {
    this.tokenizer = tokenizer;
    this.template = template;
    this.maxLength = maxLength;
    this.vocabSize = vocabSize;
  }

  /**
   * The rows' samples, in order.
   *
   * @param fileName where the rows come from, for messages
   */
  public List<Sample> encode(List<Row> rows, String fileName) {
    List<Sample> samples = new ArrayList<>(rows.size());
    for (Row row : rows) {
      String where = fileName + ": row '" + row.id() + "'";
      Sample sample =
          row instanceof TokenRow tokens
              ? new Sample(row.id(), tokens.inputIds(), tokens.labels(), DatasetReader.sha256(row))
              : encodeText(row, where);
      check(sample, where);
      samples.add(sample);
    }
    return samples;
  }

  private Sample encodeText(Row row, String where) {
    if (tokenizer == null) {
      throw new FormatException(
          Kind.CANNOT_ENCODE,
          where,
          "the row is text and the model has no tokenizer",
          "a tokenizer.json in the model folder, or rows of input_ids and labels",
          row.getClass().getSimpleName(),
          "Add the model's tokenizer.json");
    }
    PromptTemplate format = template == null ? PromptTemplate.forRow(row) : template;
    IntStream.Builder ids = IntStream.builder();
    IntStream.Builder labels = IntStream.builder();
    if (tokenizer.bosId() >= 0) {
      ids.add(tokenizer.bosId());
      labels.add(Sample.IGNORED);
    }
    for (Piece piece : format.pieces(row)) {
      int[] tokens = tokenizer.encode(piece.text(), false);
      if (piece.supervised() && tokens.length == 0) {
        throw new FormatException(
            Kind.NO_SUPERVISION,
            where,
            "the response has no tokens",
            "at least one",
            "an empty response",
            "Give the row a response or remove it");
      }
      if (piece.ends()) {
        tokens = withEnd(tokens);
      }
      for (int token : tokens) {
        ids.add(token);
        labels.add(piece.supervised() ? token : Sample.IGNORED);
      }
    }
    return new Sample(
        row.id(), ids.build().toArray(), labels.build().toArray(), DatasetReader.sha256(row));
  }

  private int[] withEnd(int[] response) {
    if (tokenizer.eosId() < 0) {
      return response;
    }
    int[] ended = Arrays.copyOf(response, response.length + 1);
    ended[response.length] = tokenizer.eosId();
    return ended;
  }

  private void check(Sample sample, String where) {
    if (sample.length() > maxLength) {
      throw new FormatException(
          Kind.TOO_LONG,
          where,
          "the row is longer than the model's context",
          "at most " + maxLength + " tokens",
          sample.length() + " tokens",
          "Shorten or remove the row; nothing is truncated silently");
    }
    if (sample.supervised() == 0) {
      throw new FormatException(
          Kind.NO_SUPERVISION,
          where,
          "no token of the row is supervised",
          "a label other than " + Sample.IGNORED + " after the first position",
          "none in " + sample.length() + " tokens",
          "Give the row a response or remove it");
    }
    for (int t = 0; t < sample.length(); t++) {
      requireKnown("input_ids", sample.inputIds()[t], t, where);
      if (sample.labels()[t] != Sample.IGNORED) {
        requireKnown("labels", sample.labels()[t], t, where);
      }
    }
  }

  private void requireKnown(String field, int token, int position, String where) {
    if (token < 0 || token >= vocabSize) {
      throw new FormatException(
          Kind.TOKEN_RANGE,
          where + ", " + field + "[" + position + "]",
          "the vocabulary has no such token",
          "0 … " + (vocabSize - 1),
          String.valueOf(token),
          "Use the tokenizer that belongs to the model");
    }
  }
}
