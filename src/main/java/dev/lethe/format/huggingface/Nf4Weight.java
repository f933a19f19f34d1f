package dev.lethe.format.huggingface;

import dev.lethe.Text;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.Place;
import dev.lethe.format.StrictJson;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.NormalFloat;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * A weight that bitsandbytes packed in NF4, with the tensors beside it that say how: {@code absmax}, {@code quant_map},
 * {@code nested_absmax} and {@code nested_quant_map} where the scales are packed themselves, and {@code
 * quant_state.bitsandbytes__nf4}. A packed scale is {@code nested_quant_map[absmax]·nested_absmax + nested_offset},
 * each operation rounded to float32, as in {@code dequantize_blockwise}.
 */
final class Nf4Weight {
  private static final String STATE = ".quant_state.bitsandbytes__nf4";
  private static final List<String> COMPANIONS =
      List.of(".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map", STATE);
  private static final int BLOCK = 64;
  private static final int HEAD = 4;
  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final Map<String, DType> FORMATS =
      Map.of("float32", DType.NF4, "float16", DType.NF4_F16, "bfloat16", DType.NF4_BF16);

  private final String name;
  private final SafeTensors home;
  private final Map<String, SafeTensors> homes;
  private final Place where;
  private final ObjectNode state;
  private final DType dtype;
  private final Shape shape;

  private Nf4Weight(String name, Map<String, SafeTensors> homes, Place where) {
    this.name = name;
    this.homes = homes;
    this.home = homes.get(name);
    this.where = where;
    MemorySegment text = homes.get(name + STATE).get(name + STATE).segment();
    JsonNode json = StrictJson.parse(StrictJson.decode(text.asByteBuffer(), where.toString()), where.toString());
    if (!(json instanceof ObjectNode object)) {
      throw where.refuse(Kind.WRONG_TYPE, "its quant_state is no object", "an object", null);
    }
    this.state = object;
    require("quant_type", object.path("quant_type").asString(""), "nf4");
    require("blocksize", object.path("blocksize").asString(""), String.valueOf(BLOCK));
    this.dtype = FORMATS.get(object.path("dtype").asString(""));
    if (dtype == null) {
      throw unsupported("dtype", String.join(", ", FORMATS.keySet()), object.path("dtype").asString(""));
    }
    this.shape = shape(object.path("shape"));
  }

  /**
   * The packed weights of a folder by name; takes the tensors beside them out of the map.
   *
   * @param nf4 whether the configuration says that there are some
   */
  static Map<String, Nf4Weight> of(boolean nf4, Map<String, SafeTensors> homes, String folder) {
    List<String> names =
        homes.keySet().stream()
            .filter(name -> name.endsWith(STATE))
            .map(name -> name.substring(0, name.length() - STATE.length()))
            .filter(homes::containsKey)
            .toList();
    if (!nf4 && !names.isEmpty()) {
      throw new FormatException(
          Kind.UNSUPPORTED, folder, "weights are packed in NF4 and config.json does not say so",
          "quantization_config", names.getFirst(), "Fetch the whole model again");
    }
    if (nf4 && names.isEmpty()) {
      throw new FormatException(
          Kind.UNSUPPORTED, folder, "config.json says that weights are packed in NF4, and none is",
          "weights with " + STATE.substring(1), "no such tensor",
          "Fetch the whole model again, or delete quantization_config where the weights are as they should be");
    }
    Map<String, SafeTensors> all = Map.copyOf(homes);
    Map<String, Nf4Weight> packed = new LinkedHashMap<>();
    for (String name : names) {
      packed.put(name, new Nf4Weight(name, all, new Place(folder).in("tensor " + Text.quote(name))));
      COMPANIONS.forEach(companion -> homes.remove(name + companion));
    }
    return packed;
  }

  DType dtype() {
    return dtype;
  }

  Shape shape() {
    return shape;
  }

  /** The blocks, each with its scale in front, on the Java heap. */
  Tensor tensor() {
    long elements = shape.elements();
    Tensor quants = home.get(name);
    if (quants.dtype() != DType.U8 || quants.elements() != elements / 2) {
      throw where.refuse(Kind.SIZE_MISMATCH, "it is no packed weight", "U8, " + elements / 2 + " bytes", quants.toString());
    }
    requireCode();
    float[] scales = scales(elements / BLOCK);
    MemorySegment from = quants.segment();
    byte[] bytes = new byte[Math.toIntExact(dtype.byteSize(elements))];
    MemorySegment to = MemorySegment.ofArray(bytes);
    int packed = BLOCK / 2;
    for (int block = 0; block < scales.length; block++) {
      long at = (long) block * (HEAD + packed);
      to.set(FLOAT, at, scales[block]);
      MemorySegment.copy(from, (long) block * packed, to, at + HEAD, packed);
    }
    return Tensor.view(to, dtype, shape);
  }

  private void requireCode() {
    float[] known = NormalFloat.code();
    float[] code = floats(".quant_map", known.length);
    for (int i = 0; i < code.length; i++) {
      if (code[i] != known[i]) {
        throw unsupported("quant_map", "the code of NF4", "another one from number " + i + " on");
      }
    }
  }

  private float[] scales(long count) {
    Tensor absmax = beside(".absmax");
    if (absmax.elements() != count) {
      throw where.refuse(Kind.SIZE_MISMATCH, "absmax does not fit", count + " scales", absmax.toString());
    }
    if (absmax.dtype() == DType.F32) {
      return floats(".absmax", Math.toIntExact(count));
    }
    if (absmax.dtype() != DType.U8) {
      throw unsupported("absmax", "F32 or U8", absmax.dtype().name());
    }
    int nested = state.path("nested_blocksize").asInt(0);
    require("nested_dtype", state.path("nested_dtype").asString("float32"), "float32");
    JsonNode offset = state.path("nested_offset");
    float shift = offset.isNumber() ? offset.numberValue().floatValue() : Float.NaN;
    if (nested < 1 || !Float.isFinite(shift)) {
      throw unsupported("nested_blocksize and nested_offset", "numbers", state.toString());
    }
    float[] outer = floats(".nested_absmax", Math.toIntExact(Math.ceilDiv(count, (long) nested)));
    float[] code = floats(".nested_quant_map", 256);
    float[] scales = new float[Math.toIntExact(count)];
    MemorySegment quants = absmax.segment();
    for (int i = 0; i < scales.length; i++) {
      float scale = code[Byte.toUnsignedInt(quants.get(ValueLayout.JAVA_BYTE, i))] * outer[i / nested];
      scales[i] = scale + shift;
    }
    return scales;
  }

  private float[] floats(String companion, int count) {
    Tensor tensor = beside(companion);
    if (tensor.dtype() != DType.F32 || tensor.elements() != count) {
      throw where.refuse(
          Kind.SIZE_MISMATCH, companion.substring(1) + " does not fit", "F32, " + count + " numbers", tensor.toString());
    }
    float[] values = new float[count];
    MemorySegment.copy(tensor.segment(), FLOAT, 0, values, 0, count);
    return values;
  }

  private Tensor beside(String companion) {
    SafeTensors file = homes.get(name + companion);
    if (file == null) {
      throw where.refuse(Kind.MISSING_FIELD, "a tensor beside it is missing", "'" + name + companion + "'", null);
    }
    return file.get(name + companion);
  }

  private Shape shape(JsonNode node) {
    boolean two = node.isArray() && node.size() == 2;
    long out = two ? node.get(0).asLong(0) : 0;
    long in = two ? node.get(1).asLong(0) : 0;
    if (out < 1 || in < 1 || out > 1 << 24 || in > 1 << 24) {
      throw where.refuse(Kind.OUT_OF_RANGE, "its quant_state has no shape", "two sizes", Text.shorten(node.toString(), 40));
    }
    if (in % BLOCK != 0) {
      throw unsupported("shape", "rows of a multiple of " + BLOCK, in + " numbers a row");
    }
    return Shape.of(out, in);
  }

  private void require(String field, String got, String expected) {
    if (!got.equals(expected)) {
      throw unsupported(field, expected, got);
    }
  }

  private FormatException unsupported(String field, String expected, String got) {
    return new FormatException(
        Kind.UNSUPPORTED, where.where(), "its " + field + " is not supported", expected, Text.shorten(got, 60),
        "Use the model in F32, F16 or BF16, or as a GGUF file");
  }
}
