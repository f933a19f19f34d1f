package dev.lethe.format.huggingface;

import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.JsonFields;
import dev.lethe.format.Place;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/**
 * Reads a {@code config.json} of GPT-2, which has names of its own for what other families have too. transformers takes
 * the other names as well; both are read here, and must agree where both are there.
 */
final class Gpt2Config {
  /** The other names, by GPT-2's. */
  private static final Map<String, String> OTHER_NAMES =
      Map.of(
          "n_embd", "hidden_size",
          "n_layer", "num_hidden_layers",
          "n_head", "num_attention_heads",
          "n_positions", "max_position_embeddings");

  private final JsonFields f;

  private Gpt2Config(JsonFields f) {
    this.f = f;
  }

  static HfConfig parse(JsonFields f, ConfigDefaults defaults) {
    return new Gpt2Config(f).read(defaults);
  }

  private HfConfig read(ConfigDefaults defaults) {
    if (!f.flagOr("scale_attn_weights", true)) {
      throw f.unsupported(
          "scale_attn_weights",
          "scores that are not divided by the root of the head's size",
          "Use a model where it is true");
    }
    long hidden = size("n_embd", 768, HfConfig.MAX_DIM);
    int layers = (int) size("n_layer", 12, HfConfig.MAX_LAYERS);
    int heads = (int) size("n_head", 12, HfConfig.MAX_HEADS);
    if (hidden % heads != 0) {
      throw new Place(f.where()).refuse(
          Kind.OUT_OF_RANGE, "n_head does not divide n_embd", "a divisor of " + hidden, String.valueOf(heads));
    }
    return new HfConfig(
        defaults,
        f.strings("architectures"),
        hidden,
        f.integerOr("n_inner", 4 * hidden, 1, HfConfig.MAX_DIM << 2),
        layers,
        heads,
        heads,
        (int) (hidden / heads),
        f.integerOr("vocab_size", 50257, 1, HfConfig.MAX_VOCABULARY),
        size("n_positions", defaults.positions(), HfConfig.MAX_DIM << 4),
        f.numberOr("layer_norm_epsilon", defaults.normEps(), 0, 1),
        null,
        null,
        f.flagOr("tie_word_embeddings", defaults.tied()),
        false,
        false,
        Collections.nCopies(layers, 0),
        f.stringOr("activation_function", defaults.activation()),
        (double) hidden / heads,
        TokenIds.one(f, "bos_token_id", defaults.bos()),
        TokenIds.oneOrMore(f, "eos_token_id", defaults.eos()),
        HfConfig.dtype(f),
        false);
  }

  /** A size by either of its names. */
  private long size(String name, long fallback, long most) {
    String other = OTHER_NAMES.get(name);
    long value = f.integerOr(name, f.integerOr(other, fallback, 1, most), 1, most);
    if (f.has(other) && f.integer(other, 1, most) != value) {
      throw f.unsupported(other, "another number than field '" + name + "'", "Delete one of the two");
    }
    return value;
  }
}
