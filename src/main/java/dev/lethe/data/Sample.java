package dev.lethe.data;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import java.util.Arrays;
import java.util.Objects;
import java.util.stream.IntStream;

/**
 * One training sample as tokens. {@code labels[t]} is the token at position t where that is
 * supervised, as in Hugging Face; the model predicts it from the positions before t, so the first
 * position never counts.
 *
 * @param id the row's name in its file
 * @param inputIds (T)
 * @param labels (T); {@link #IGNORED} where not supervised
 * @param hash the row's content hash
 * @param likeness a hash that rows share which people would call the same; see {@link #withLikeness}
 */
public record Sample(String id, int[] inputIds, int[] labels, String hash, String likeness) {
  /** The label of a position that is not supervised. */
  public static final int IGNORED = -100;

  public Sample {
    if (inputIds.length != labels.length) {
      throw new ArgumentException(
          Text.format("sample '%s' has %d tokens and %d labels", id, inputIds.length, labels.length));
    }
  }

  /** A sample that is like no other. */
  public Sample(String id, int[] inputIds, int[] labels, String hash) {
    this(id, inputIds, labels, hash, "");
  }

  /** The same with a hash of what the row says, without regard to case, white space and Unicode's compositions. */
  public Sample withLikeness(String value) {
    return new Sample(id, inputIds, labels, hash, value);
  }

  /** The same row under another id. */
  public Sample named(String other) {
    return new Sample(other, inputIds, labels, hash, likeness);
  }

  /** Tokens of the sample, T. */
  public int length() {
    return inputIds.length;
  }

  /** Supervised tokens: those the mean of the loss runs over. */
  public int supervised() {
    return (int) IntStream.range(1, labels.length).filter(t -> labels[t] != IGNORED).count();
  }

  /** The supervised tokens, in their order. */
  public int[] targets() {
    return IntStream.range(1, labels.length).map(t -> labels[t]).filter(label -> label != IGNORED).toArray();
  }

  /** Equal in name, contents and tokens; the likeness follows from the contents. */
  @Override
  public boolean equals(Object other) {
    return other instanceof Sample s
        && id.equals(s.id)
        && hash.equals(s.hash)
        && Arrays.equals(inputIds, s.inputIds)
        && Arrays.equals(labels, s.labels);
  }

  @Override
  public int hashCode() {
    return Objects.hash(id, hash, Arrays.hashCode(inputIds), Arrays.hashCode(labels));
  }

  /** The name, length and hash; never the contents. */
  @Override
  public String toString() {
    return Text.format("sample '%s' of %d tokens, %s", id, inputIds.length, hash);
  }
}
