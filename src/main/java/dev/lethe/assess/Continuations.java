package dev.lethe.assess;

import dev.lethe.data.Sample;
import dev.lethe.nn.GenerationOptions;
import dev.lethe.nn.Generator;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.tokenizer.Tokenizer;
import java.util.Arrays;
import java.util.stream.IntStream;

/** What adapters say when they are asked: greedy continuations of a row's query. */
final class Continuations {
  private final Tokenizer tokenizer;
  private final int maxNewTokens;

  /**
   * @param tokenizer of the model
   * @param maxNewTokens the most tokens of an answer
   */
  Continuations(Tokenizer tokenizer, int maxNewTokens) {
    this.tokenizer = tokenizer;
    this.maxNewTokens = maxNewTokens;
  }

  /**
   * A row taken apart.
   *
   * @param query the tokens before the response
   * @param response the response's tokens
   */
  record Parts(int[] query, int[] response) {
    /** The same row with the first half of the response given away. */
    Parts halfGiven() {
      int given = response.length / 2;
      int[] longer = Arrays.copyOf(query, query.length + given);
      System.arraycopy(response, 0, longer, query.length, given);
      return new Parts(longer, Arrays.copyOfRange(response, given, response.length));
    }
  }

  /** A row's query and response; null where its supervised tokens are not one piece behind a query. */
  static Parts parts(Sample sample) {
    int[] labels = sample.labels();
    int first = 0;
    while (first < labels.length && labels[first] == Sample.IGNORED) {
      first++;
    }
    int end = first;
    while (end < labels.length && labels[end] != Sample.IGNORED) {
      end++;
    }
    boolean onePiece = IntStream.range(end, labels.length).allMatch(t -> labels[t] == Sample.IGNORED);
    return first == 0 || end == first || !onePiece
        ? null
        : new Parts(Arrays.copyOf(sample.inputIds(), first), Arrays.copyOfRange(labels, first, end));
  }

  /** What an adapter says to a query. */
  String say(Subject subject, int[] query) {
    TransformerSpec spec = subject.model().model().spec();
    int[] ends =
        IntStream.concat(spec.eosIds().stream().mapToInt(Integer::intValue), IntStream.of(tokenizer.eosId()))
            .filter(id -> id >= 0)
            .distinct()
            .toArray();
    Generator generator = new Generator(subject.model(), spec.maxPositions());
    return text(generator.generate(query, GenerationOptions.greedy(maxNewTokens, ends), token -> true));
  }

  /** Tokens as text. */
  String text(int[] tokens) {
    return tokenizer.decode(tokens).strip();
  }
}
