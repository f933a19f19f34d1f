package dev.lethe.data;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.data.PromptTemplate.Piece;
import dev.lethe.data.Row.TokenRow;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.tokenizer.TokenSpans;
import dev.lethe.tokenizer.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Turns rows into samples; a row of tokens is taken as it is, and nothing is truncated. A row of text in a fixed format
 * becomes {@code [bos] prompt response [eos]}, of which the response and its end are supervised; a conversation in the
 * model's own chat template becomes what that renders. The tokens are those of the whole text where a token ends at
 * each place at which prompt and response meet; other rows are tokenised piece by piece, and {@link #notes} names them.
 */
public final class Encoder {
  private static final int SHOWN = 5;

  /** More characters than a token of a text has on average. */
  private static final long CHARACTERS = 32;

  /** More characters of white space than a token has. */
  private static final long BLANKS = 512;

  private final Tokenizer tokenizer;
  private final PromptForm form;
  private final long maxLength;
  private final long vocabSize;
  private final List<String> notes = new ArrayList<>();

  /** An encoder that takes the tokenizer's vocabulary as the bound of token ids. */
  public Encoder(Tokenizer tokenizer, PromptTemplate template, long maxLength) {
    this(
        tokenizer,
        template,
        maxLength,
        tokenizer == null ? Integer.MAX_VALUE : tokenizer.vocabSize());
  }

  /** An encoder of rows in a fixed format, or in each row's default format where that is null. */
  public Encoder(Tokenizer tokenizer, PromptTemplate template, long maxLength, long vocabSize) {
    this(PromptForm.fixed(template), tokenizer, maxLength, vocabSize);
  }

  private Encoder(PromptForm form, Tokenizer tokenizer, long maxLength, long vocabSize) {
    this.tokenizer = tokenizer;
    this.form = form;
    this.maxLength = maxLength;
    this.vocabSize = vocabSize;
  }

  /**
   * An encoder for a model.
   *
   * @param tokenizer null where all rows are tokens
   * @param form how a row becomes text
   * @param maxLength the most tokens a sample may have: the model's context
   * @param vocabSize token ids must be below this
   */
  public static Encoder of(Tokenizer tokenizer, PromptForm form, long maxLength, long vocabSize) {
    return new Encoder(form, tokenizer, maxLength, vocabSize);
  }

  /**
   * The rows' samples, in order; on all processors. Refuses the first row that cannot be one.
   *
   * @param fileName where the rows come from, for messages
   */
  public List<Sample> encode(List<Row> rows, String fileName) {
    List<Encoded> encoded = rows.parallelStream().map(row -> encoded(row, fileName)).toList();
    notes.clear();
    encoded.stream().map(Encoded::refusal).filter(Objects::nonNull).findFirst().ifPresent(
        refusal -> {
          throw refusal;
        });
    name(encoded, Way.APART, fileName, "a token of the whole text reaches over the place where they meet");
    name(encoded, Way.SPELLED, fileName, "the text spells special tokens, at which the tokenizer begins anew");
    return encoded.stream().map(Encoded::sample).toList();
  }

  /** What a user should know of the rows that were encoded last. */
  public List<String> notes() {
    return List.copyOf(notes);
  }

  private void name(List<Encoded> rows, Way way, String fileName, String reason) {
    List<String> ids =
        rows.stream().filter(row -> row.way() == way).map(row -> "'" + row.sample().id() + "'").toList();
    if (!ids.isEmpty()) {
      notes.add(
          Text.format("%s: in %,d of %,d rows prompt and response are tokenised one by one, for %s: %s%s", fileName,
              ids.size(), rows.size(), reason, String.join(", ", ids.subList(0, Math.min(SHOWN, ids.size()))),
              ids.size() > SHOWN ? Text.format(" and %,d more", ids.size() - SHOWN) : ""));
    }
  }

  /** How a row's text became tokens. */
  private enum Way {
    TOGETHER,
    /** Piece by piece, as a token of the whole reaches over two of them. */
    APART,
    /** Piece by piece, as the text spells special tokens. */
    SPELLED
  }

  /**
   * What became of a row: a sample or a refusal.
   *
   * @param refusal null where there is a sample
   */
  private record Encoded(Sample sample, Way way, LetheException refusal) {}

  private Encoded encoded(Row row, String fileName) {
    String where = fileName + ": row '" + row.id() + "'";
    try {
      Encoded encoded =
          row instanceof TokenRow tokens
              ? new Encoded(
                  new Sample(row.id(), tokens.inputIds(), tokens.labels(), DatasetReader.sha256(row)), Way.TOGETHER, null)
              : encodedText(row, where);
      check(encoded.sample(), where);
      return encoded;
    } catch (LetheException e) {
      return new Encoded(null, Way.TOGETHER, e);
    }
  }

  private Encoded encodedText(Row row, String where) {
    if (tokenizer == null) {
      throw new FormatException(
          Kind.CANNOT_ENCODE,
          where,
          "the row is text and the model has no tokenizer",
          "a tokenizer.json in the model folder, or rows of input_ids and labels",
          row.getClass().getSimpleName(),
          "Add the model's tokenizer.json");
    }
    PromptForm.Rendered text = form.render(row, where);
    requireShort(text, where);
    Labelled sample = new Labelled();
    if (text.framed()) {
      sample.add(tokenizer.before(), false);
    }
    List<Piece> part = new ArrayList<>();
    Way way = Way.TOGETHER;
    for (Iterator<Piece> rest = text.pieces().iterator(); rest.hasNext(); ) {
      Piece piece = rest.next();
      part.add(piece);
      if (piece.ends() || !rest.hasNext()) {
        List<int[]> together = together(part);
        List<int[]> chosen = together;
        if (together == null || text.framed() && spellsSpecial(together)) {
          chosen = apart(part, where);
          if (together == null) {
            way = Way.APART;
          } else if (way == Way.TOGETHER && !sameIds(together, chosen)) {
            way = Way.SPELLED;
          }
        }
        for (int i = 0; i < part.size(); i++) {
          sample.add(chosen.get(i), part.get(i).supervised());
        }
        if (piece.ends()) {
          sample.add(rest.hasNext() ? end() : lastEnd(), piece.supervised());
        }
        part.clear();
      }
    }
    return new Encoded(sample.named(row), way, null);
  }

  /** Refuses a text that no tokenizer makes short enough, before it takes memory and time. */
  private void requireShort(PromptForm.Rendered text, String where) {
    long characters = 0;
    long written = 0;
    for (Piece piece : text.pieces()) {
      characters += piece.text().length();
      written += piece.text().chars().filter(c -> !Character.isWhitespace(c)).count();
    }
    if (written > CHARACTERS * maxLength || characters > BLANKS * maxLength) {
      throw new FormatException(
          Kind.TOO_LONG,
          where,
          "the row is longer than the limit, which is the model's context or a smaller --max-length",
          Text.format("at most %,d tokens of %d characters, or %d of white space", maxLength, CHARACTERS, BLANKS),
          Text.format("%,d characters", characters),
          "Shorten or remove the row; nothing is truncated silently");
    }
  }

  /**
   * The tokens of each piece of the whole text; null where one reaches over the pieces' ends, or takes a response
   * whole.
   */
  private List<int[]> together(List<Piece> pieces) {
    TokenSpans spans =
        tokenizer.spans(pieces.stream().map(Piece::text).collect(Collectors.joining()));
    List<int[]> parts = new ArrayList<>(pieces.size());
    int from = 0;
    int place = 0;
    for (int i = 0; i < pieces.size(); i++) {
      place += pieces.get(i).text().length();
      int to = i == pieces.size() - 1 ? spans.ids().length : spans.edge(place);
      if (to < from || to == from && pieces.get(i).supervised()) {
        return null;
      }
      parts.add(Arrays.copyOfRange(spans.ids(), from, to));
      from = to;
    }
    return parts;
  }

  private boolean spellsSpecial(List<int[]> pieces) {
    return pieces.stream().flatMapToInt(IntStream::of).anyMatch(tokenizer::isSpecial);
  }

  private static boolean sameIds(List<int[]> some, List<int[]> others) {
    return Arrays.equals(
        some.stream().flatMapToInt(IntStream::of).toArray(),
        others.stream().flatMapToInt(IntStream::of).toArray());
  }

  /** The tokens of each piece by itself. */
  private List<int[]> apart(List<Piece> pieces, String where) {
    List<int[]> tokens = new ArrayList<>(pieces.size());
    for (Piece piece : pieces) {
      int[] ids = tokenizer.encode(piece.text(), false);
      if (piece.supervised() && ids.length == 0) {
        throw new FormatException(
            Kind.NO_SUPERVISION,
            where,
            "the response has no tokens",
            "at least one",
            "an empty response",
            "Give the row a response or remove it");
      }
      tokens.add(ids);
    }
    return tokens;
  }

  private int[] end() {
    return tokenizer.eosId() < 0 ? new int[0] : new int[] {tokenizer.eosId()};
  }

  /** What ends a row's text: what the tokenizer itself puts there, or the end token. */
  private int[] lastEnd() {
    int[] own = tokenizer.after();
    return own.length == 0 ? end() : own;
  }

  /** The tokens of a sample as they come. */
  private static final class Labelled {
    private final IntStream.Builder ids = IntStream.builder();
    private final IntStream.Builder labels = IntStream.builder();

    private void add(int[] tokens, boolean supervised) {
      for (int token : tokens) {
        ids.add(token);
        labels.add(supervised ? token : Sample.IGNORED);
      }
    }

    private Sample named(Row row) {
      return new Sample(
          row.id(), ids.build().toArray(), labels.build().toArray(), DatasetReader.sha256(row));
    }
  }

  private void check(Sample sample, String where) {
    if (sample.length() > maxLength) {
      throw new FormatException(
          Kind.TOO_LONG,
          where,
          "the row is longer than the limit, which is the model's context or a smaller --max-length",
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
