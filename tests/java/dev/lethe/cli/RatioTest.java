package dev.lethe.cli;

import static dev.lethe.cli.Workplace.ok;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.format.StrictJson;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Ratios to nothing are null, and a sentence says so; scores are listed by their sign. */
class RatioTest {
  @TempDir private Path dir;
  private Workplace place;

  @BeforeEach
  void open() {
    place = new Workplace(dir);
  }

  @Test
  void numbersThatAreNoneAreNull() {
    ObjectNode json = StrictJson.newObject().put("a", Double.NaN).put("b", 1.5);
    json.putArray("c").add(Double.NEGATIVE_INFINITY).add(2).addObject().put("d", Float.POSITIVE_INFINITY);
    assertEquals("{\"a\":null,\"b\":1.5,\"c\":[null,2,{\"d\":null}]}", StrictJson.line(json));
  }

  /** All of it 0: neither the request's gradient nor the adapter's weights can be divided by. */
  @Test
  void anAdapterOfZerosGetsACertificateOfNumbers() throws IOException {
    Path adapter = zeros(place.adapter("adapter"));
    String text =
        ok(
            "unlearn", "--model", place.model, "--adapter", adapter, "--data", place.data, "--forget", "row-1",
            "--damping", "1", "--out", place.at("out"), "--device", "reference").out();
    Path file = place.at("out").resolve("lethe_certificate.json");
    String certificate = Files.readString(file);
    assertFalse((certificate + text).matches("(?s).*(NaN|Infinity|null %).*"), certificate + text);
    JsonNode json = StrictJson.read(file, 1 << 20);
    assertTrue(json.at("/gradients/unrest").isNull(), certificate);
    assertTrue(json.path("notes").toString().contains("unrest is null"), certificate);
    assertTrue(json.path("notes").toString().contains("the adapter's own weights are 0"), certificate);
  }

  @Test
  void scoresAreListedByTheirSign() {
    Path adapter = place.adapter("adapter");
    Object[] words = {
      "influence", "--model", place.model, "--adapter", adapter, "--data", place.data, "--query", place.data,
      "--damping", "1", "--top", "12", "--device", "reference"
    };
    List<String> lines = ok(words).lines();
    assertTrue(lines.get(1).matches(" *helping row +Δ nats if removed +harming row +Δ nats if removed"), lines.get(1));
    Object[] json = java.util.Arrays.copyOf(words, words.length + 1);
    json[words.length] = "--json";
    for (String line : ok(json).lines()) {
      JsonNode query = StrictJson.parse(line, "output");
      query.path("helping").forEach(row -> assertTrue(row.path("score").asDouble() > 0, line));
      query.path("harming").forEach(row -> assertTrue(row.path("score").asDouble() < 0, line));
      assertEquals(Workplace.ROWS, query.path("helping").size() + query.path("harming").size(), line);
    }
  }

  /** The same adapter with all parameters 0. */
  private Path zeros(Path adapter) throws IOException {
    Path weights = adapter.resolve("adapter_model.safetensors");
    Map<String, Tensor> zeros = new LinkedHashMap<>();
    try (SafeTensors read = SafeTensors.open(weights)) {
      for (String name : read.names()) {
        Tensor tensor = read.get(name);
        zeros.put(name, Tensor.of(tensor.shape(), new double[(int) tensor.elements()]));
      }
    }
    SafeTensors.write(weights, zeros, Map.of());
    Path bare = Files.createDirectories(place.at("zeros"));
    for (String name : List.of("adapter_config.json", "adapter_model.safetensors")) {
      Files.copy(adapter.resolve(name), bare.resolve(name));
    }
    return bare;
  }
}
