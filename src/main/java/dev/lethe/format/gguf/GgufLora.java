package dev.lethe.format.gguf;

import dev.lethe.Text;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.huggingface.HfConfig;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * An adapter in llama.cpp's format, as {@code convert_lora_to_gguf.py} writes it: tensors {@code NAME.lora_a} (r,in)
 * and {@code NAME.lora_b} (out,r) beside the weight that they change, float32. llama.cpp scales a pair by
 * {@code adapter.lora.alpha / r}; where a pair's own scale is another, B makes up for it.
 */
public final class GgufLora {
  private static final Map<String, String> ARCHITECTURES =
      Map.of("llama", "llama", "mistral", "llama", "qwen2", "qwen2");

  private GgufLora() {}

  /**
   * Writes an adapter.
   *
   * @param base the configuration of the model that it was made for
   * @return the tensors that were written
   */
  public static int write(Path out, PeftFolder peft, HfConfig base) {
    String architecture = ARCHITECTURES.get(base.modelType());
    if (architecture == null) {
      throw refused(
          peft, "this family's adapters are not exported", String.join(", ",
              ARCHITECTURES.keySet().stream().sorted().toList()),
          Text.quote(base.modelType()));
    }
    for (String key : peft.tensors().keySet()) {
      if (!key.endsWith(PeftFolder.LORA_A) && !key.endsWith(PeftFolder.LORA_B)) {
        throw refused(
            peft, "the adapter has more than pairs of linear layers, for which llama.cpp's format has no place",
            "pairs alone", Text.quote(key));
      }
    }
    Map<String, Object> metadata = new LinkedHashMap<>();
    metadata.put("general.type", "adapter");
    metadata.put("general.architecture", architecture);
    metadata.put("adapter.type", "lora");
    float alpha = peft.config().loraAlpha() == 0 ? 1 : (float) peft.config().loraAlpha();
    metadata.put("adapter.lora.alpha", alpha);
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    for (String module : peft.modules()) {
      String name = GgufNames.toGguf(module + ".weight");
      if (name == null) {
        throw refused(peft, "a pair belongs to a weight that GGUF has no name for", "a linear layer",
            Text.quote(module));
      }
      Tensor a = peft.tensors().get(PeftFolder.PREFIX + module + PeftFolder.LORA_A);
      Tensor b = peft.tensors().get(PeftFolder.PREFIX + module + PeftFolder.LORA_B);
      double scale = peft.config().scaleOf(module) * a.dim(0) / alpha;
      Tensor rows = floats(b, scale);
      if (architecture.equals("llama") && name.contains(".attn_q.")) {
        rows = RotaryRows.toPairs(rows, base.numAttentionHeads());
      } else if (architecture.equals("llama") && name.contains(".attn_k.")) {
        rows = RotaryRows.toPairs(rows, base.numKeyValueHeads());
      }
      tensors.put(name + ".lora_a", floats(a, 1));
      tensors.put(name + ".lora_b", rows);
    }
    GgufWriter.write(out, metadata, tensors);
    return tensors.size();
  }

  private static Tensor floats(Tensor from, double factor) {
    Tensor copy =
        Tensor.view(
            MemorySegment.ofArray(new float[Math.toIntExact(from.elements())]), DType.F32, from.shape());
    copy.copyFrom(from);
    for (long i = 0; factor != 1 && i < copy.elements(); i++) {
      copy.set(i, factor * copy.get(i));
    }
    return copy;
  }

  private static FormatException refused(PeftFolder peft, String problem, String expected, String got) {
    return new FormatException(
        Kind.UNSUPPORTED, peft.path().toString(), problem, expected, got,
        "Merge the adapter instead (lethe merge) and convert the folder with llama.cpp");
  }
}
