package dev.lethe.tokenizer;

/** Turns text into token ids and back. Implementations are safe for use by several threads. */
public interface Tokenizer extends AutoCloseable {
  /**
   * The tokens of a text, all of them; nothing is truncated or padded.
   *
   * @param addSpecialTokens whether to add what the tokenizer puts around a text, such as a token
   *     for its begin
   */
  int[] encode(String text, boolean addSpecialTokens);

  /** The text of tokens, without special ones. */
  String decode(int[] ids);

  /** The token that this tokenizer puts at the begin of a text; −1 where it puts none. */
  int bosId();

  /** The token that ends a text; −1 where there is none. */
  int eosId();

  /** One more than the highest token id. */
  int vocabSize();

  @Override
  void close();
}
