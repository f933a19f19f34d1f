package dev.lethe.format.huggingface;

import dev.lethe.format.JsonFields;
import java.util.Set;

/** {@code quantization_config}: four bits of bitsandbytes are read, every other method is refused by its name. */
final class Quantization {
  private static final Set<String> HARMLESS =
      Set.of(
          "quant_method", "_load_in_4bit", "_load_in_8bit", "load_in_4bit", "load_in_8bit",
          "bnb_4bit_quant_type", "bnb_4bit_quant_storage", "bnb_4bit_compute_dtype",
          "bnb_4bit_use_double_quant", "llm_int8_enable_fp32_cpu_offload",
          "llm_int8_has_fp16_weight", "llm_int8_skip_modules", "llm_int8_threshold");
  private static final String REMEDY = "Use the model in F32, F16 or BF16, in NF4, or as a GGUF file";

  private Quantization() {}

  /** Whether weights are packed in NF4; throws where they are packed in another way. */
  static boolean isNf4(JsonFields config) {
    JsonFields f = config.objectOrNull("quantization_config");
    if (f == null) {
      return false;
    }
    String method = f.stringOr("quant_method", "an unnamed method");
    if (!method.equals("bitsandbytes")) {
      throw config.unsupported("quantization_config", "weights quantized by '" + method + "'", REMEDY);
    }
    if (f.flagOr("load_in_8bit", false) || !f.flagOr("load_in_4bit", false)) {
      throw f.unsupported("load_in_8bit", "weights in other than four bits", REMEDY);
    }
    String type = f.stringOr("bnb_4bit_quant_type", "fp4");
    if (!type.equals("nf4")) {
      throw f.unsupported("bnb_4bit_quant_type", "weights in '" + type + "'", REMEDY);
    }
    String storage = f.stringOr("bnb_4bit_quant_storage", "uint8");
    if (!storage.equals("uint8")) {
      throw f.unsupported("bnb_4bit_quant_storage", "weights stored as '" + storage + "'", REMEDY);
    }
    for (String field : f.node().propertyNames()) {
      if (!HARMLESS.contains(field) && f.has(field)) {
        throw f.unsupported(field, "something that Lethe does not know", REMEDY);
      }
    }
    return true;
  }
}
