package dev.lethe.format.gguf;

import dev.lethe.Text;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.Place;
import dev.lethe.format.StrictJson;
import dev.lethe.tensor.Tensor;
import java.util.List;
import java.util.Set;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * What {@code config.json} would say of a GGUF file. Every key of the architecture is used, known to be harmless or
 * refused; keys of no known kind are named on the log.
 */
final class GgufConfig {
  private static final System.Logger LOG = System.getLogger(GgufConfig.class.getName());
  private static final Set<String> ARCHITECTURES = Set.of("llama", "qwen2");
  private static final List<String> HARMLESS = List.of("general.", "quantize.", "tokenizer.");
  private static final String MARKER = "llama.tensor_data_layout";

  private final GgufFile file;
  private final GgufMetadata metadata;
  private final Place where;
  private final String architecture;

  GgufConfig(GgufFile file) {
    this.file = file;
    this.where = Place.of(file.path());
    this.metadata = new GgufMetadata(file.metadata(), where);
    this.architecture = metadata.string("general.architecture");
    if (!ARCHITECTURES.contains(architecture)) {
      throw GgufHeader.unsupported(
          metadata.place("general.architecture"), "this architecture is not read from GGUF files",
          String.join(" or ", ARCHITECTURES.stream().sorted().toList()), Text.quote(architecture),
          "Use the model's Hugging Face folder, if its family is supported");
    }
  }

  /** Whether rows of queries and keys stand in rotary pairs. */
  boolean inPairs() {
    return architecture.equals("llama");
  }

  /** The configuration as a folder would have it. */
  ObjectNode json() {
    refuseWhatIsNotComputed();
    long hidden = own("embedding_length");
    long heads = metadata.sameInteger(key("attention.head_count"), 0);
    if (heads < 1 || hidden % heads != 0 && !metadata.has(key("attention.key_length"))) {
      throw metadata.place(key("attention.head_count")).refuse(
          Kind.OUT_OF_RANGE, "it does not divide the width", "a divisor of " + hidden, String.valueOf(heads));
    }
    long head = metadata.integerOr(key("attention.key_length"), hidden / heads);
    requireHead("attention.value_length", head);
    requireHead("rope.dimension_count", head);
    ObjectNode json =
        StrictJson.newObject()
            .put("model_type", architecture)
            .put("hidden_size", hidden)
            .put("num_hidden_layers", own("block_count"))
            .put("intermediate_size", metadata.sameInteger(key("feed_forward_length"), 0))
            .put("num_attention_heads", heads)
            .put("num_key_value_heads", metadata.sameInteger(key("attention.head_count_kv"), heads))
            .put("head_dim", head)
            .put("vocab_size", vocabulary())
            .put("max_position_embeddings", own("context_length"))
            .put("rms_norm_eps", shortest(metadata.number(key("attention.layer_norm_rms_epsilon"))))
            .put("rope_theta", shortest(metadata.numberOr(key("rope.freq_base"), 10000)))
            .put("tie_word_embeddings", !file.names().contains("output.weight"));
    if (architecture.equals("llama") && file.names().contains("blk.0.attn_q.bias")) {
      json.put("attention_bias", true);
    }
    token(json, "bos_token_id");
    token(json, "eos_token_id");
    scaling(json);
    nameTheRest();
    return json;
  }

  private long own(String name) {
    return metadata.integer(key(name));
  }

  private String key(String name) {
    return architecture + "." + name;
  }

  /** A float32 as the shortest decimal that is it, which is what the model's authors wrote. */
  private static double shortest(double value) {
    return Double.parseDouble(Float.toString((float) value));
  }

  private long vocabulary() {
    String table = "token_embd.weight";
    if (!file.names().contains(table)) {
      throw where.refuse(Kind.MISSING_FIELD, "the file has no embedding", "tensor '" + table + "'", null);
    }
    long rows = file.get(table).dim(0);
    long said = metadata.integerOr(key("vocab_size"), rows);
    if (said != rows) {
      throw metadata.place(key("vocab_size")).refuse(
          Kind.SIZE_MISMATCH, "it is not the embedding's", rows + " rows", String.valueOf(said));
    }
    return rows;
  }

  private void requireHead(String name, long head) {
    long said = metadata.integerOr(key(name), head);
    if (said != head) {
      throw GgufHeader.unsupported(
          metadata.place(key(name)), "it is not the width of a head", String.valueOf(head),
          String.valueOf(said), "Use another model");
    }
  }

  private void token(ObjectNode json, String name) {
    long id = metadata.integerOr("tokenizer.ggml." + name, -1);
    json.put(name, id < 0 ? null : id);
  }

  /** Linear stretching by a key, or factors of the pairs by a tensor, as Llama 3.1 has them. */
  private void scaling(ObjectNode json) {
    double factor = metadata.numberOr(key("rope.scaling.factor"), metadata.numberOr(key("rope.scale_linear"), 1));
    String type = metadata.stringOr(key("rope.scaling.type"), factor == 1 ? "none" : "linear");
    metadata.integerOr(key("rope.scaling.original_context_length"), 0);
    metadata.flagOr(key("rope.scaling.finetuned"), false);
    boolean factors = file.names().contains(GgufNames.ROPE_FACTORS);
    switch (type) {
      case "none" -> {
        if (factors) {
          json.set("rope_scaling", pairFactors(json));
        }
      }
      case "linear" -> {
        if (factors) {
          throw GgufHeader.unsupported(
              metadata.place(key("rope.scaling.type")), "positions are stretched twice",
              "linear scaling or tensor '" + GgufNames.ROPE_FACTORS + "'", "both", "Use another model");
        }
        json.putObject("rope_scaling").put("rope_type", "linear").put("factor", shortest(factor));
      }
      default ->
          throw GgufHeader.unsupported(
              metadata.place(key("rope.scaling.type")), "this rotary scaling is not read from GGUF files",
              "none or linear", Text.quote(type), "Use the model's Hugging Face folder");
    }
  }

  /** Frequencies divided by the tensor's factors, in the form that has such a list. */
  private ObjectNode pairFactors(ObjectNode json) {
    Tensor factors = file.get(GgufNames.ROPE_FACTORS);
    ObjectNode scaling = StrictJson.newObject().put("rope_type", "longrope").put("factor", 1.0);
    scaling.put("original_max_position_embeddings", json.get("max_position_embeddings").longValue());
    for (String field : List.of("short_factor", "long_factor")) {
      ArrayNode list = scaling.putArray(field);
      for (double factor : factors.toDoubles()) {
        list.add(factor);
      }
    }
    return scaling;
  }

  private void refuseWhatIsNotComputed() {
    metadata.refuseUnless(key("expert_count"), value -> value.equals(0L), "a mixture of experts");
    metadata.refuseUnless(key("expert_used_count"), value -> value.equals(0L), "a mixture of experts");
    metadata.refuseUnless(key("attention.causal"), value -> value.equals(true), "attention to later tokens");
    metadata.refuseUnless(key("attention.sliding_window"), value -> value.equals(0L), "a sliding window");
    metadata.refuseUnless(key("use_parallel_residual"), value -> value.equals(false), "parallel residuals");
    metadata.refuseUnless("split.count", value -> value.equals(0L) || value.equals(1L), "the other parts of a split model; merge them with llama-gguf-split");
    metadata.refuseUnless("general.type", "model"::equals, "what is no whole model");
    metadata.refuseUnless(MARKER, "Meta AI original pth"::equals, "another order of rows");
  }

  private void nameTheRest() {
    for (String key : metadata.unasked()) {
      if (key.startsWith(architecture + ".")) {
        throw GgufHeader.unsupported(
            metadata.place(key), "it asks for something that Lethe does not know", "a file without it",
            Text.shorten(String.valueOf(file.metadata().get(key)), 40), "Use the model's Hugging Face folder");
      }
      if (HARMLESS.stream().noneMatch(key::startsWith)) {
        LOG.log(System.Logger.Level.WARNING, "{0}: metadata {1} is not used", file.path(), Text.quote(key));
      }
    }
  }
}
