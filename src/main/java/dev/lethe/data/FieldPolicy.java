package dev.lethe.data;

import dev.lethe.Text;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/**
 * What becomes of the fields of data rows. A field that stands nowhere here is named once as not used, with the count
 * of its rows. The table of docs/formats.md, "Data rows", is this one.
 */
enum FieldPolicy {
  ID(Level.ROW, "names the row", "id"),
  SYSTEM(Level.TEXT, "used: the conversation's first message; empty is none", "system"),
  HISTORY(
      Level.TEXT,
      "used: earlier rounds `[[prompt, response], …]`, which make the row a conversation; their responses are"
          + " supervised",
      "history"),
  TOOLS(
      Level.TEXT,
      "refused: it would enter the prompt and Lethe renders no tools",
      "tools", "functions", "documents", "chat_template_kwargs"),
  MEDIA(
      Level.ROW,
      "refused: Lethe reads text only",
      "image", "images", "video", "videos", "audio", "audios", "pixel_values", "inputs_embeds",
      "decoder_input_ids"),
  ROW_WEIGHT(
      Level.ROW,
      "refused unless 1 or true, or a list of these: all rows and all tokens count alike",
      "weight", "weights", "sample_weight", "sample_weights", "loss_weight", "loss_weights", "token_weights",
      "label_weights", "train"),
  ATTENTION_MASK(
      Level.TOKENS,
      "used: padding (0) on the left or right is cut off, with its labels, which must be −100; another mask is refused",
      "attention_mask"),
  POSITION_IDS(
      Level.TOKENS, "refused unless it counts the tokens that are not padding from 0", "position_ids"),
  TOKEN_TYPES(
      Level.TOKENS,
      "refused unless 0 for all tokens; then named as not used, since GPT-2 in transformers adds an embedding even for 0",
      "token_type_ids"),
  SEGMENTS(
      Level.TOKENS,
      "refused unless the same for all tokens: packed rows would see each other",
      "segment_ids", "seq_idx", "sequence_ids", "sample_ids"),
  PACKING(
      Level.TOKENS,
      "refused: it packs several rows into one",
      "cu_seqlens", "cu_seqlens_q", "cu_seqlens_k", "cu_seq_lens", "cu_seq_lens_q", "cu_seq_lens_k", "seq_lens",
      "seqlens"),
  LOSS_MASK(
      Level.TOKENS,
      "refused unless it is 0 where `labels` is −100 and 1 elsewhere",
      "loss_mask", "label_mask", "labels_mask", "response_mask", "completion_mask", "assistant_masks",
      "assistant_mask"),
  DERIVED(
      Level.TOKENS,
      "harmless: it follows from the tokens",
      "special_tokens_mask", "length", "num_tokens", "offset_mapping"),
  ROLE(
      Level.MESSAGE,
      "used: `user` or `human`, `assistant` or `gpt`, `system`; tool roles and others are refused",
      "role", "from"),
  CONTENT(
      Level.MESSAGE,
      "used: a string, or parts of type `text`, joined without a separator; other parts and"
          + " marks of learning in a part are refused",
      "content", "value"),
  SUPERVISION(
      Level.MESSAGE,
      "used: 0 or false for a turn of the assistant that is not supervised; fractions are refused, and so is 1 or true"
          + " on turns of others",
      "weight", "loss_weight", "train", "training", "trainable", "learn", "supervised", "loss"),
  MASKING(
      Level.MESSAGE,
      "refused unless 0 or false: it marks a turn that is not learned, or that is to be continued",
      "mask", "masked", "prefix"),
  CALLS(
      Level.MESSAGE,
      "refused: it is part of what the model says or reads and Lethe does not render it",
      "tool_calls", "tool_call_id", "function_call", "reasoning_content", "reasoning", "thinking", "images",
      "videos", "audio", "refusal", "train_detail", "training_detail");

  /** Where a field stands. */
  enum Level {
    ROW("every row"),
    TEXT("rows of text"),
    TOKENS("rows of `input_ids`"),
    MESSAGE("messages");

    private final String words;

    Level(String words) {
      this.words = words;
    }
  }

  private final Level level;
  private final String effect;
  private final List<String> names;

  FieldPolicy(Level level, String effect, String... names) {
    this.level = level;
    this.effect = effect;
    this.names = List.of(names);
  }

  List<String> names() {
    return names;
  }

  /** Why it is refused, where it always is. */
  String effect() {
    return effect;
  }

  /** The policy of a field, null where there is none of its own. */
  static FieldPolicy of(String name, Level... levels) {
    return Arrays.stream(values())
        .filter(policy -> List.of(levels).contains(policy.level) && policy.names.contains(name))
        .findFirst()
        .orElse(null);
  }

  /** The table's lines for people. */
  static List<String> table() {
    Stream<String> lines =
        Arrays.stream(values())
            .map(
                policy ->
                    Text.format(
                        "| %s | %s | %s |",
                        String.join(", ", policy.names.stream().map(n -> "`" + n + "`").toList()),
                        policy.level.words,
                        policy.effect));
    return lines.toList();
  }
}
