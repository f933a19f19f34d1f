package dev.lethe.format.peft;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.Refusals;
import dev.lethe.format.StrictJson;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

class PeftAdapterConfigTest {
  private static final String Q = "model.layers.0.self_attn.q_proj";

  /** PEFT's own answers; make_peft_patterns.py wrote them. */
  @TestFactory
  List<DynamicTest> targetsRanksAndScalesAreThoseOfPeft() {
    JsonNode golden =
        StrictJson.read(Refusals.resource("golden/peft_patterns/peft_patterns.json"), 1 << 20);
    List<DynamicTest> tests = new ArrayList<>();
    for (JsonNode one : golden.get("cases")) {
      tests.add(
          DynamicTest.dynamicTest(
              one.get("name").stringValue(), () -> check(one, golden.get("linears"))));
    }
    assertTrue(tests.size() > 30);
    return tests;
  }

  private static void check(JsonNode one, JsonNode linears) {
    PeftAdapterConfig config =
        PeftAdapterConfig.parse((ObjectNode) one.get("config"), one.get("name").stringValue());
    for (JsonNode linear : linears) {
      String module = linear.stringValue();
      JsonNode expected = one.get("modules").get(module);
      assertEquals(expected != null, config.targets(module), module);
      if (expected != null) {
        assertEquals(expected.get("r").intValue(), config.rankOf(module), module);
        assertEquals(
            expected.get("scale").numberValue().doubleValue(), config.scaleOf(module), module);
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "use_dora|true",
        "bias|\"all\"",
        "bias|\"lora_only\"",
        "something_new|{\"x\": 1}",
        "something_new|\"on\"",
        "layer_replication|[[0, 2]]",
        "trainable_token_indices|[1]",
        "trainable_token_indices|{\"embed_tokens\": [1]}",
        "lora_bias|true",
        "target_parameters|[\"w\"]",
        "use_qalora|true",
        "alora_invocation_tokens|[1, 2]",
        "arrow_config|{\"top_k\": 1}",
        "use_bdlora|{\"nblocks\": 2}",
        "kasa_config|{\"beta\": 1}",
        "velora_config|{\"x\": 1}",
        "monteclora_config|{\"x\": 1}",
        "megatron_config|{\"x\": 1}",
        "init_lora_weights|\"pissa_niter_4\"",
        "init_lora_weights|\"olora\"",
        "init_lora_weights|\"loftq\"",
        "init_lora_weights|\"corda\"",
        "init_lora_weights|\"lora_ga\"",
        "peft_type|\"IA3\"",
        "peft_type|\"ADALORA\""
      })
  void whatChangesTheMathematicsIsRefusedByName(String field, String value) {
    FormatException e = Refusals.refusal(Kind.UNSUPPORTED, () -> parse(field, value));
    assertTrue(e.getMessage().contains(field), e.getMessage());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "use_dora|false", "modules_to_save|[]", "modules_to_save|null", "bias|\"none\"",
        "layer_replication|null", "target_parameters|[]", "loftq_config|{}", "qalora_group_size|16",
        "init_lora_weights|false", "init_lora_weights|\"gaussian\"", "fan_in_fan_out|true",
        "something_new|null", "something_new|false"
      })
  void whatChangesNothingIsKept(String field, String value) {
    assertEquals(StrictJson.parse(value, "test"), parse(field, value).raw().get(field));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "r|0|OUT_OF_RANGE",
        "r|-8|OUT_OF_RANGE",
        "r|8.0|WRONG_TYPE",
        "r|null|MISSING_FIELD",
        "r|2147483648|OUT_OF_RANGE",
        "lora_alpha|\"16\"|WRONG_TYPE",
        "lora_alpha|null|WRONG_TYPE",
        "lora_dropout|null|WRONG_TYPE",
        "lora_dropout|1.0|OUT_OF_RANGE",
        "lora_dropout|-0.1|OUT_OF_RANGE",
        "target_modules|null|MISSING_FIELD",
        "target_modules|[]|OUT_OF_RANGE",
        "target_modules|[1]|WRONG_TYPE",
        "target_modules|{}|WRONG_TYPE",
        "target_modules|\"(\"|BAD_PATTERN",
        "rank_pattern|{\"(\": 3}|BAD_PATTERN",
        "rank_pattern|{\"q_proj\": 0}|OUT_OF_RANGE",
        "rank_pattern|{\"q_proj\": null}|MISSING_FIELD",
        "alpha_pattern|{\"q_proj\": null}|MISSING_FIELD",
        "rank_pattern|[]|WRONG_TYPE",
        "layers_to_transform|\"1\"|WRONG_TYPE",
        "use_rslora|1|WRONG_TYPE",
        "peft_type|null|MISSING_FIELD"
      })
  void badFieldsAreNamed(String field, String value, Kind kind) {
    FormatException e = Refusals.refusal(kind, () -> parse(field, value));
    assertTrue(e.getMessage().contains("adapter_config.json"), e.getMessage());
  }

  /** Expected: what Python's re.fullmatch says. */
  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "(?P<my_layer>.*)\\\\.(?P<kind>[a-z]+)_proj|true",
        ".*(?P<q>q)_proj\\\\Z|true",
        ".*(?P<q>q)_proj(?P=q)|false",
        ".*q_proj(?#the query)|true",
        ".*\\\\.self_attn\\\\.[q&&k]_proj|true",
        ".*\\\\.self_attn\\\\.[[q]_proj|true",
        ".*q{,2}_proj|true",
        "(?i).*Q_PROJ|true",
        ".*\\\\.(?:self_attn)[.]q_proj|true",
        ".*(?<!mlp)\\\\.q_proj|true"
      })
  void patternsMatchAsInPython(String pattern, boolean matches) {
    assertEquals(matches, parse("target_modules", '"' + pattern + '"').targets(Q));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"\\\\p{L}+", "(?x)q _proj", "a(?i)b", "(a)?(?(1)b|c)", "\\\\Qq\\\\E", "[a", "(?<n>a)", "\\\\G.*"})
  void whatJavaReadsOtherwiseIsRefused(String pattern) {
    FormatException e =
        Refusals.refusal(Kind.BAD_PATTERN, () -> parse("target_modules", '"' + pattern + '"'));
    assertTrue(e.getMessage().contains("pattern"), e.getMessage());
  }

  @Test
  void hostilePatternsAreStoppedSoon() {
    String name = "a".repeat(200) + "!";
    PeftAdapterConfig slow = parse("target_modules", "\".*a.*a.*a.*a.*a.*a.*b\"");
    Assertions.assertTimeout(
        Duration.ofSeconds(5), () -> Refusals.refusal(Kind.BAD_PATTERN, () -> slow.targets(name)));
    String nested = "(".repeat(9000) + "a" + ")".repeat(9000);
    Refusals.refusal(Kind.BAD_PATTERN, () -> parse("target_modules", "\"" + nested + "\""));
    String star = "\"" + "(a|b)*".repeat(3) + "\"";
    PeftAdapterConfig deep = parse("target_modules", star);
    String longName = "ab".repeat(500_000);
    Refusals.refusal(Kind.BAD_PATTERN, () -> deep.targets(longName));
  }

  @Test
  void aNewConfigurationHasTheFieldsThatPeftNeeds() {
    PeftAdapterConfig config =
        PeftAdapterConfig.create(4, 8, 0.05, List.of("q_proj", "v_proj"), "some/model");
    assertEquals(2, config.scaleOf(Q));
    assertTrue(config.targets(Q));
    assertFalse(config.targets("model.layers.0.self_attn.k_proj"));
    assertEquals("LORA", config.raw().get("peft_type").stringValue());
    assertTrue(config.raw().get("lora_alpha").isIntegralNumber());
    PeftAdapterConfig other =
        config.withPatterns(Map.of("q_proj", 16), Map.of("q_proj", 2.5), true);
    assertEquals(2.5 / 4, other.scaleOf(Q));
    assertEquals(16, other.rankOf(Q));
    assertEquals(8 / Math.sqrt(4), other.scaleOf("model.layers.0.self_attn.v_proj"));
  }

  @Test
  void changingTheRawJsonChangesNothing() {
    PeftAdapterConfig config = parse("r", "8");
    config.raw().put("r", 99);
    assertEquals(8, config.raw().get("r").intValue());
  }

  private static PeftAdapterConfig parse(String field, String value) {
    ObjectNode json =
        (ObjectNode)
            StrictJson.parse(
                "{\"peft_type\": \"LORA\", \"r\": 8, \"target_modules\": [\"q_proj\"]}", "test");
    json.set(field, StrictJson.parse(value, "test"));
    return PeftAdapterConfig.parse(json, "somewhere/adapter_config.json");
  }
}
