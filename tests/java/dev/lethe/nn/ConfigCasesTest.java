package dev.lethe.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.format.FormatException;
import dev.lethe.format.StrictJson;
import dev.lethe.format.huggingface.HfConfig;
import dev.lethe.format.huggingface.Rope;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Many spellings of config.json, against transformers; make_config_cases.py wrote the answers. */
class ConfigCasesTest {
  private static final Path CASES =
      Path.of("tests", "resources", "golden", "config_cases", "config_cases.json");

  /** transformers computes frequencies in float32. */
  private static final double FLOAT = 1e-6;

  @TestFactory
  List<DynamicTest> configurationsMeanWhatTheyMeanInTransformers() {
    List<DynamicTest> tests = new ArrayList<>();
    for (JsonNode one : StrictJson.read(CASES, 1 << 20).get("cases")) {
      tests.add(DynamicTest.dynamicTest(one.get("name").stringValue(), () -> check(one)));
    }
    assertTrue(tests.size() > 85);
    return tests;
  }

  private static void check(JsonNode one) {
    ObjectNode json = (ObjectNode) one.get("config");
    if (one.has("refused")) {
      FormatException e =
          assertThrows(FormatException.class, () -> HfConfig.parse(json, "config.json"));
      assertTrue(e.getMessage().contains(one.get("refused").stringValue()), e.getMessage());
      return;
    }
    HfConfig config = HfConfig.parse(json, "config.json");
    JsonNode expected = one.get("expected");
    Rope local = config.localRope() == null ? config.rope() : config.localRope();
    check(expected.get("frequencies"), config.rope(), config);
    check(expected.get("local_frequencies"), local, config);
    double factor = expected.get("factor").doubleValue();
    assertEquals(factor, RopeFrequencies.factor(config.rope()), FLOAT * factor);
    int[] windows = config.windows().stream().mapToInt(Integer::intValue).toArray();
    assertArrayEquals(Golden.ints(expected.get("windows")), windows);
    assertEquals(expected.get("key_heads").intValue(), config.numKeyValueHeads());
    assertEquals(expected.get("head_size").intValue(), config.headDim());
    assertEquals(id(expected.get("bos")), config.bosTokenId());
    int[] eos = config.eosTokenIds().stream().mapToInt(Integer::intValue).toArray();
    assertArrayEquals(ids(expected.get("eos")), eos);
  }

  /** transformers has no frequencies for a kind of layer that the model has not. */
  private static void check(JsonNode expected, Rope rope, HfConfig config) {
    double[] frequencies = Golden.doubles(expected);
    double[] got = RopeFrequencies.of(rope);
    assertTrue(frequencies.length == 0 || frequencies.length == got.length, expected::toString);
    for (int j = 0; j < frequencies.length; j++) {
      assertEquals(frequencies[j], got[j], FLOAT * frequencies[j], "pair " + j);
    }
  }

  /** transformers keeps ids that stand for none. */
  private static int[] ids(JsonNode array) {
    return Arrays.stream(Golden.ints(array)).filter(id -> id >= 0).distinct().toArray();
  }

  private static int id(JsonNode value) {
    return value.isNull() ? -1 : value.intValue();
  }
}
