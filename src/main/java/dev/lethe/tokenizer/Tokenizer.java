package dev.lethe.tokenizer;

import java.util.List;
import java.util.Map;

/** Turns text into token ids and back. Implementations are safe for use by several threads. */
public interface Tokenizer extends AutoCloseable {
  /**
   * The tokens of a text, all of them; nothing is truncated or padded.
   *
   * @param addSpecialTokens whether to add what the tokenizer puts around a text, such as a token
   *     for its begin
   */
  int[] encode(String text, boolean addSpecialTokens);

  /** The tokens of a text and where they stand in it, without what the tokenizer puts around it. */
  TokenSpans spans(String text);

  /** The text of tokens, without special ones. */
  String decode(int[] ids);

  /** What the tokenizer puts before a text. */
  default int[] before() {
    return bosId() < 0 ? new int[0] : new int[] {bosId()};
  }

  /** What the tokenizer puts after a text. */
  default int[] after() {
    return new int[0];
  }

  /** The token that this tokenizer puts at the begin of a text; −1 where it puts none. */
  int bosId();

  /** The token that ends a text; −1 where there is none. */
  int eosId();

  /** Whether a token is special: not a part of what a text says. */
  default boolean isSpecial(int id) {
    return id == bosId() || id == eosId();
  }

  /** One more than the highest token id. */
  int vocabSize();

  /** The named special tokens, such as {@code eos_token}, and their texts. */
  default Map<String, String> named() {
    return Map.of();
  }

  /** What a user should know of how the tokenizer's files were read. */
  default List<String> notes() {
    return List.of();
  }

  @Override
  void close();
}
