package dev.lethe.nn;

import dev.lethe.LetheException;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.function.IntPredicate;

/**
 * Continues texts token by token. The prompt runs through the model at once, then each token alone,
 * with the keys and values of all tokens before it kept; the tokens are those of a run without a
 * cache.
 */
public final class Generator {
  private final AdaptedModel adapted;
  private final long maxLength;

  /**
   * @param maxLength the most tokens of prompt and continuation together; at most the model's
   *     context
   */
  public Generator(AdaptedModel adapted, long maxLength) {
    this.adapted = adapted;
    this.maxLength = Math.min(maxLength, adapted.model().spec().maxPositions());
  }

  /**
   * Continues a prompt until a stop token, the wanted number of tokens or the length limit.
   *
   * @param promptIds at least one token
   * @param onToken told each new token as it comes; returns false to stop
   * @return the new tokens, without the stop token
   * @throws LetheException where the prompt is empty, too long or not of the vocabulary
   */
  public int[] generate(int[] promptIds, GenerationOptions options, IntPredicate onToken) {
    requirePrompt(promptIds);
    int room = Math.toIntExact(Math.min(options.maxNewTokens(), maxLength - promptIds.length));
    int[] tokens = new int[room];
    int count = 0;
    int[] stopIds = options.stopIds();
    TokenSampler sampler = new TokenSampler(options);
    DecoderPass pass = new DecoderPass(adapted);
    try (KeyValueCache cache = new KeyValueCache(adapted.model(), promptIds.length + room)) {
      int[] input = promptIds;
      while (count < room) {
        int token = next(pass, input, cache, sampler, options.temperature() == 0);
        if (Arrays.stream(stopIds).anyMatch(id -> id == token)) {
          break;
        }
        tokens[count++] = token;
        input = new int[] {token};
        if (!onToken.test(token)) {
          break;
        }
      }
    }
    return Arrays.copyOf(tokens, count);
  }

  private int next(
      DecoderPass pass, int[] input, KeyValueCache cache, TokenSampler sampler, boolean greedy) {
    try (Scope scope = adapted.backend().openScope("generation step")) {
      Tensor last = pass.hidden(input, cache, scope).slice(input.length - 1L, 1);
      return greedy ? pass.likeliest(last) : sampler.next(pass.logits(last));
    }
  }

  private void requirePrompt(int[] promptIds) {
    if (promptIds.length == 0) {
      throw new LetheException(
          "prompt",
          "has no tokens",
          "at least one",
          "none",
          "Begin with the model's token for the begin of a text.");
    }
    if (promptIds.length > maxLength) {
      throw new LetheException(
          "prompt",
          "does not fit the length limit",
          "at most " + maxLength + " tokens",
          promptIds.length + " tokens",
          "Shorten it; nothing is truncated silently.");
    }
  }
}
