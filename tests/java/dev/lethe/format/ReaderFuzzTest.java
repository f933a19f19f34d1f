package dev.lethe.format;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.lethe.LetheException;
import dev.lethe.data.DatasetReader;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

/**
 * Mutated inputs: nothing but a LetheException may escape a reader, and a small file may not make
 * it allocate much. Seeds are printed where one fails; -Dlethe.fuzz.rounds asks for more.
 */
class ReaderFuzzTest {
  private static final int ROUNDS = Integer.getInteger("lethe.fuzz.rounds", 2000);
  private static final long MAX_ALLOCATION = 64L << 20;
  private static final String[] TOKENS = {
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "true",
    "-1",
    "0",
    "1e9",
    "1e999999999",
    "NaN",
    "\\u0000",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "4294967296",
    "\"\"",
    "\\",
    "\"__metadata__\"",
    "\"F64\"",
    "\uD83E\uDD99",
    "\n",
    "[[[[",
    "{\"a\":{\"a\":",
    "1.5",
    "\"..\""
  };

  @TempDir Path dir;

  private interface Reader {
    void read(Path file) throws IOException;
  }

  @Test
  void safetensors() throws IOException {
    List<byte[]> seeds = new ArrayList<>();
    try (var attacks = Files.list(Refusals.resource("attacks"))) {
      for (Path file : attacks.sorted().toList()) {
        if (file.toString().endsWith(".safetensors")) {
          seeds.add(Files.readAllBytes(file));
        }
      }
    }
    seeds.add(
        Files.readAllBytes(Refusals.resource("golden/rslora/adapter/adapter_model.safetensors")));
    fuzz(
        seeds,
        file -> {
          try (SafeTensors read = SafeTensors.open(file)) {
            read.names().forEach(name -> FiniteCheck.require(name, read.get(name)));
          }
        });
  }

  @Test
  void modelConfigurations() throws IOException {
    fuzz(
        List.of(
            Files.readAllBytes(Refusals.resource("golden/llama3_rope/config.json")),
            Files.readAllBytes(Refusals.resource("golden/mistral_sliding_window/config.json"))),
        file -> HfConfig.parse(StrictJson.readObject(file, 1 << 20), file.toString()));
  }

  @Test
  void adapterConfigurations() throws IOException {
    ObjectNode patterns = PeftAdapterConfig.create(4, 8, 0, List.of("q_proj"), "m").raw();
    patterns.put("target_modules", ".*\\.(?P<p>q|v)_proj").putObject("rank_pattern").put("a.*b", 2);
    fuzz(
        List.of(
            Files.readAllBytes(Refusals.resource("golden/patterns/adapter/adapter_config.json")),
            patterns.toPrettyString().getBytes(StandardCharsets.UTF_8)),
        file -> {
          PeftAdapterConfig config = PeftAdapterConfig.read(file);
          config.targets("model.layers.1.mlp.up_proj");
          config.scaleOf("model.layers.1.mlp.up_proj");
        });
  }

  @Test
  void dataSets() throws IOException {
    String rows =
        """
        {"instruction": "i", "input": "ü", "output": "o", "id": "a"}
        {"question": "q", "answer": "a", "other": [1, {"x": null}]}
        {"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "c"}]}
        {"input_ids": [1, 2, 3], "labels": [-100, 2, 3], "id": 77}
        """;
    String array = "[" + rows.strip().replace("\n", ",\n") + "]";
    fuzz(
        List.of(rows.getBytes(StandardCharsets.UTF_8), array.getBytes(StandardCharsets.UTF_8)),
        file -> DatasetReader.read(file).forEach(DatasetReader::sha256));
  }

  @Test
  void shardIndexes() throws IOException {
    Files.writeString(
        dir.resolve("config.json"),
        Files.readString(Refusals.resource("golden/llama3_rope/config.json")));
    Files.copy(
        Refusals.resource("golden/rslora/adapter/adapter_model.safetensors"),
        dir.resolve("one.safetensors"));
    fuzz(
        List.of(
            "{\"metadata\": {\"total_size\": 4}, \"weight_map\": {\"a\": \"one.safetensors\"}}"
                .getBytes(StandardCharsets.UTF_8)),
        file -> {
          Files.copy(
              file,
              dir.resolve("model.safetensors.index.json"),
              java.nio.file.StandardCopyOption.REPLACE_EXISTING);
          HfModelFolder.open(dir).close();
        });
  }

  private void fuzz(List<byte[]> seeds, Reader reader) throws IOException {
    var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    Path file = dir.resolve("fuzzed");
    int accepted = 0;
    for (int round = 0; round < ROUNDS; round++) {
      Random random = new Random(round);
      byte[] mutated = mutate(seeds.get(random.nextInt(seeds.size())), random);
      Files.write(file, mutated);
      long before = threads.getCurrentThreadAllocatedBytes();
      try {
        reader.read(file);
        accepted++;
      } catch (LetheException expected) {
        assertTrue(expected.getMessage().length() < 2000, "seed " + round + ": endless message");
      } catch (RuntimeException | Error e) {
        fail("seed " + round + " let " + e + " escape", e);
      }
      long allocated = threads.getCurrentThreadAllocatedBytes() - before;
      assertTrue(
          allocated < MAX_ALLOCATION,
          "seed " + round + ": " + mutated.length + " bytes made it allocate " + allocated);
    }
    assertTrue(accepted < ROUNDS, "no mutation was ever refused");
  }

  private static byte[] mutate(byte[] seed, Random random) {
    byte[] bytes = seed.clone();
    int edits = random.nextInt(4);
    for (int i = 0; i < edits && bytes.length > 0; i++) {
      int at = random.nextInt(bytes.length);
      bytes =
          switch (random.nextInt(6)) {
            case 0 -> flip(bytes, at, random);
            case 1 -> java.util.Arrays.copyOf(bytes, at);
            case 2 -> splice(bytes, at, at, TOKENS[random.nextInt(TOKENS.length)]);
            case 3 ->
                splice(
                    bytes,
                    at,
                    Math.min(bytes.length, at + random.nextInt(12)),
                    TOKENS[random.nextInt(TOKENS.length)]);
            case 4 -> splice(bytes, at, Math.min(bytes.length, at + 1 + random.nextInt(40)), "");
            default -> flip(bytes, Math.min(random.nextInt(8), bytes.length - 1), random);
          };
    }
    return bytes;
  }

  private static byte[] flip(byte[] bytes, int at, Random random) {
    bytes[at] = (byte) random.nextInt(256);
    return bytes;
  }

  private static byte[] splice(byte[] bytes, int from, int to, String text) {
    byte[] middle = text.getBytes(StandardCharsets.UTF_8);
    byte[] out = new byte[from + middle.length + bytes.length - to];
    System.arraycopy(bytes, 0, out, 0, from);
    System.arraycopy(middle, 0, out, from, middle.length);
    System.arraycopy(bytes, to, out, from + middle.length, bytes.length - to);
    return out;
  }
}
