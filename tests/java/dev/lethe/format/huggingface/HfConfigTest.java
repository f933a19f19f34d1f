package dev.lethe.format.huggingface;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.Refusals;
import dev.lethe.format.StrictJson;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.node.ObjectNode;

class HfConfigTest {
  private static final String LLAMA =
      """
      {"model_type": "llama", "hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": 5,
       "num_attention_heads": 8, "vocab_size": 512}
      """;

  @Test
  void absentFieldsTakeTheDefaultsOfTransformers() {
    HfConfig c = parse("{}");
    assertEquals(8, c.numKeyValueHeads());
    assertEquals(8, c.headDim());
    assertEquals(1e-6, c.rmsNormEps());
    assertEquals(new Rope(10000, 8, new RopeScaling.None()), c.rope());
    assertEquals(2048, c.maxPositionEmbeddings());
    assertEquals(1, c.bosTokenId());
    assertEquals(List.of(2), c.eosTokenIds());
    assertEquals("silu", c.hiddenAct());
    assertFalse(c.tieWordEmbeddings() || c.attentionBias() || c.mlpBias());
    assertEquals(List.of(0, 0, 0, 0, 0), c.windows());
    assertNull(c.dtype());
  }

  @Test
  void llama3ScalingIsReadInBothSpellings() {
    String rope =
        """
        "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192, "rope_type": "llama3"
        """;
    HfConfig old = parse("{\"rope_theta\": 500000.0, \"rope_scaling\": {" + rope + "}}");
    HfConfig five = parse("{\"rope_parameters\": {\"rope_theta\": 500000.0, " + rope + "}}");
    Rope rope3 = new Rope(500000, 8, new RopeScaling.Llama3(8, 1, 4, 8192));
    assertEquals(rope3, old.rope());
    assertEquals(rope3, five.rope());
  }

  @Test
  void tokensAndFormatsAreReadInEverySpelling() {
    HfConfig c = parse("{\"eos_token_id\": [1, 2], \"dtype\": \"bfloat16\"}");
    assertEquals(List.of(1, 2), c.eosTokenIds());
    assertEquals("bfloat16", c.dtype());
    assertEquals("float16", parse("{\"torch_dtype\": \"float16\"}").dtype());
    assertEquals(List.of(7), parse("{\"eos_token_id\": 7}").eosTokenIds());
    assertEquals(List.of(), parse("{\"eos_token_id\": -1}").eosTokenIds());
    assertEquals(List.of(3), parse("{\"eos_token_id\": [-1, 3, 3]}").eosTokenIds());
    assertEquals(List.of(), parse("{\"eos_token_id\": null}").eosTokenIds());
    assertEquals(-1, parse("{\"bos_token_id\": null}").bosTokenId());
  }

  @Test
  void twoSpellingsThatDisagreeAreRefused() {
    String both = "{\"dtype\": \"float32\", \"torch_dtype\": \"%s\"}";
    assertEquals("float32", parse(both.formatted("float32")).dtype());
    FormatException e =
        Refusals.refusal(Kind.UNSUPPORTED, () -> parse(both.formatted("bfloat16")));
    assertTrue(e.getMessage().contains("torch_dtype"), e.getMessage());
  }

  @Test
  void aModelOfSeveralPartsIsNamed() {
    String fields = "{\"model_type\": \"llava\", \"text_config\": {\"model_type\": \"llama\"}}";
    FormatException e = Refusals.refusal(Kind.UNSUPPORTED, () -> parse(fields));
    assertTrue(e.getMessage().contains("text_config"), e.getMessage());
  }

  /** Values without effect of fields that are refused otherwise, and fields of other families. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"partial_rotary_factor\": 1.0}",
        "{\"final_logit_softcapping\": null}",
        "{\"something_new\": null, \"another\": false, \"third\": {}, \"fourth\": []}",
        "{\"model_type\": \"mistral\", \"num_key_value_heads\": 2, \"attention_bias\": false}",
        "{\"hidden_act\": \"swish\", \"attention_dropout\": 0.1, \"temperature\": 0.7}"
      })
  void whatHasNoEffectIsRead(String fields) {
    assertEquals(64, parse(fields).hiddenSize());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "hidden_size|0|OUT_OF_RANGE",
        "hidden_size|-64|OUT_OF_RANGE",
        "hidden_size|1048577|OUT_OF_RANGE",
        "hidden_size|64.0|WRONG_TYPE",
        "hidden_size|\"64\"|WRONG_TYPE",
        "hidden_size|null|MISSING_FIELD",
        "hidden_size|99999999999999999999|OUT_OF_RANGE",
        "hidden_size|63|OUT_OF_RANGE",
        "intermediate_size|-1|OUT_OF_RANGE",
        "num_hidden_layers|1000000000|OUT_OF_RANGE",
        "num_attention_heads|0|OUT_OF_RANGE",
        "num_key_value_heads|3|OUT_OF_RANGE",
        "num_key_value_heads|16|OUT_OF_RANGE",
        "head_dim|7|OUT_OF_RANGE",
        "vocab_size|10000001|OUT_OF_RANGE",
        "rms_norm_eps|-1|OUT_OF_RANGE",
        "rms_norm_eps|1e999999|OUT_OF_RANGE",
        "rope_theta|0|OUT_OF_RANGE",
        "tie_word_embeddings|1|WRONG_TYPE",
        "eos_token_id|[1, null]|WRONG_TYPE",
        "bos_token_id|-5|OUT_OF_RANGE",
        "architectures|\"LlamaForCausalLM\"|WRONG_TYPE",
        "rope_scaling|[]|WRONG_TYPE",
        "rope_scaling|{\"rope_type\": \"llama3\", \"factor\": 8}|MISSING_FIELD",
        "rope_scaling|{\"type\": \"linear\"}|MISSING_FIELD",
        "rope_parameters|{\"full_attention\": {\"rope_theta\": 1}}|UNSUPPORTED",
        "partial_rotary_factor|0.5|UNSUPPORTED",
        "quantization_config|{\"quant_method\": \"gptq\", \"bits\": 4}|UNSUPPORTED",
        "text_config|{\"hidden_size\": 64}|UNSUPPORTED",
        "final_logit_softcapping|30.0|UNSUPPORTED",
        "residual_multiplier|0.22|UNSUPPORTED",
        "is_encoder_decoder|true|UNSUPPORTED",
        "dtype|\"int8\"|UNSUPPORTED",
        "eos_token_id|-2|OUT_OF_RANGE",
        "rms_norm_eps|null|WRONG_TYPE",
        "sliding_window|64|UNSUPPORTED",
        "rope_scaling|{\"rope_type\": \"mrope\", \"mrope_section\": [1, 2]}|UNSUPPORTED",
        "model_type|\"gpt_neox\"|UNSUPPORTED",
        "model_type|null|MISSING_FIELD"
      })
  void badFieldsAreNamed(String field, String value, Kind kind) {
    FormatException e = Refusals.refusal(kind, () -> parse("{\"" + field + "\": " + value + "}"));
    assertTrue(e.getMessage().contains("somewhere/config.json"), e.getMessage());
    String named = field.split("_")[0];
    assertTrue(e.getMessage().contains(named) || kind == Kind.MISSING_FIELD, e.getMessage());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        "{",
        "{\"a\": 1, \"a\": 2}",
        "{\"a\": NaN}",
        "{} {}",
        "{'a': 1}",
        "{\"a\": 01}",
        "{\"a\": \"\u0001\"}",
        "nul"
      })
  void whatIsNotStrictJsonIsRefused(String text) {
    try {
      if (!(StrictJson.parse(text, "config.json") instanceof ObjectNode)) {
        return;
      }
    } catch (FormatException e) {
      assertTrue(e.kind() == Kind.JSON_SYNTAX || e.kind() == Kind.DUPLICATE_KEY, e.getMessage());
      return;
    }
    throw new AssertionError("accepted: " + text);
  }

  /** The llama fields above, with the given ones put over them. */
  private static HfConfig parse(String fields) {
    ObjectNode json = (ObjectNode) StrictJson.parse(LLAMA, "test");
    json.setAll((ObjectNode) StrictJson.parse(fields, "test"));
    return HfConfig.parse(json, "somewhere/config.json");
  }
}
