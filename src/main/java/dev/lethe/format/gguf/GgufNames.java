package dev.lethe.format.gguf;

import dev.lethe.Text;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The names of weights in GGUF files and in Hugging Face folders of Llama and its relatives. */
final class GgufNames {
  /** Factors of rotary positions, which a folder has in its configuration. */
  static final String ROPE_FACTORS = "rope_freqs.weight";

  private static final Pattern IN_LAYER = Pattern.compile("blk\\.(\\d+)\\.(\\w+)\\.(weight|bias)");
  private static final Pattern HF_LAYER =
      Pattern.compile("model\\.layers\\.(\\d+)\\.([\\w.]+)\\.(weight|bias)");
  private static final Map<String, String> WHOLE =
      Map.of(
          "token_embd.weight", "model.embed_tokens.weight",
          "output_norm.weight", "model.norm.weight",
          "output.weight", "lm_head.weight");
  private static final Map<String, String> LAYER =
      Map.of(
          "attn_norm", "input_layernorm",
          "attn_q", "self_attn.q_proj",
          "attn_k", "self_attn.k_proj",
          "attn_v", "self_attn.v_proj",
          "attn_output", "self_attn.o_proj",
          "ffn_norm", "post_attention_layernorm",
          "ffn_gate", "mlp.gate_proj",
          "ffn_up", "mlp.up_proj",
          "ffn_down", "mlp.down_proj");
  private static final Map<String, String> TO_GGUF = reversed();

  private GgufNames() {}

  /** The folder's name of a weight; the same name where there is none. */
  static String toFolder(String name) {
    Matcher match = IN_LAYER.matcher(name);
    if (match.matches() && LAYER.containsKey(match.group(2))) {
      return Text.format("model.layers.%s.%s.%s", match.group(1), LAYER.get(match.group(2)), match.group(3));
    }
    return WHOLE.getOrDefault(name, name);
  }

  /** The GGUF name of a weight; null where there is none. */
  static String toGguf(String name) {
    Matcher match = HF_LAYER.matcher(name);
    if (match.matches()) {
      String own = TO_GGUF.get(match.group(2));
      return own == null ? null : Text.format("blk.%s.%s.%s", match.group(1), own, match.group(3));
    }
    return TO_GGUF.get(name);
  }

  private static Map<String, String> reversed() {
    Map<String, String> names = new HashMap<>();
    WHOLE.forEach((gguf, folder) -> names.put(folder, gguf));
    LAYER.forEach((gguf, folder) -> names.put(folder, gguf));
    return Map.copyOf(names);
  }
}
