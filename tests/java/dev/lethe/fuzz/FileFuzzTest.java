package dev.lethe.fuzz;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.lethe.bench.BenchResult;
import dev.lethe.data.DatasetReader;
import dev.lethe.data.RequestFiles;
import dev.lethe.format.StrictJson;
import dev.lethe.format.huggingface.HfConfig;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.format.safetensors.FiniteCheck;
import dev.lethe.format.safetensors.SafeTensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

/** Files that people hand over: weights, configurations, data sets, requests, results. */
class FileFuzzTest {
  private static final Path RESOURCES = Path.of("tests", "resources");
  private static final String MODULE = "model.layers.1.mlp.up_proj";

  @TempDir private Path dir;

  private static byte[] resource(String name) throws IOException {
    return Files.readAllBytes(RESOURCES.resolve(name));
  }

  private Path file() {
    return dir.resolve("fuzzed");
  }

  /** Entries with commas between them. */
  private static String listed(int count, IntFunction<String> entry) {
    return IntStream.range(0, count).mapToObj(entry).collect(Collectors.joining(","));
  }

  private static void readSafeTensors(Path file) {
    try (SafeTensors read = SafeTensors.open(file)) {
      read.names().forEach(name -> FiniteCheck.require(name, read.get(name)));
    }
  }

  @Test
  void safetensors() throws IOException {
    List<byte[]> seeds = new ArrayList<>();
    try (var attacks = Files.list(RESOURCES.resolve("attacks"))) {
      for (Path attack : attacks.sorted().toList()) {
        if (attack.toString().endsWith(".safetensors")) {
          seeds.add(Files.readAllBytes(attack));
        }
      }
    }
    seeds.add(resource("golden/rslora/adapter/adapter_model.safetensors"));
    Fuzz.mutations(file(), seeds, FileFuzzTest::readSafeTensors);
  }

  @Test
  void safetensorsOfManyTensors() throws IOException {
    Fuzz.growth(
        file(),
        10_000,
        n -> "{" + listed(n, i -> "\"t" + i + "\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}") + "}",
        text -> readSafeTensors(withHeader(text)));
  }

  /** The text as the header of a file without data. */
  private Path withHeader(Path text) throws IOException {
    byte[] header = Files.readAllBytes(text);
    Path file = dir.resolve("header.safetensors");
    try (FileChannel out =
        FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
      ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(0, header.length);
      out.write(length);
      out.write(ByteBuffer.wrap(header));
    }
    return file;
  }

  @Test
  void modelConfigurations() throws IOException {
    Fuzz.Reader reader = file -> HfConfig.parse(StrictJson.readObject(file, 16 << 20), file.toString());
    Fuzz.mutations(
        file(),
        List.of(resource("golden/llama3_rope/config.json"), resource("golden/mistral_sliding_window/config.json")),
        reader);
    String config = new String(resource("golden/llama3_rope/config.json"), UTF_8).strip();
    String open = config.substring(0, config.length() - 1);
    Fuzz.growth(file(), 20_000, n -> open + "," + listed(n, i -> "\"unknown" + i + "\":1") + "}", reader);
    Fuzz.growth(
        file(), 20_000, n -> open + ",\"layer_types\":[" + listed(n, i -> "\"full_attention\"") + "]}", reader);
  }

  @Test
  void adapterConfigurations() throws IOException {
    ObjectNode patterns = PeftAdapterConfig.create(4, 8, 0, List.of("q_proj"), "m").raw();
    patterns.put("target_modules", ".*\\.(?P<p>q|v)_proj").putObject("rank_pattern").put("a.*b", 2);
    Fuzz.Reader reader =
        file -> {
          PeftAdapterConfig config = PeftAdapterConfig.read(file);
          config.targets(MODULE);
          config.scaleOf(MODULE);
        };
    Fuzz.mutations(
        file(),
        List.of(resource("golden/patterns/adapter/adapter_config.json"), patterns.toPrettyString().getBytes(UTF_8)),
        reader);
    String config = PeftAdapterConfig.create(4, 8, 0, List.of("q_proj"), "m").raw().toString();
    String open = config.substring(0, config.length() - 1);
    Fuzz.growth(
        file(), 1000, n -> open + ",\"rank_pattern\":{" + listed(n, i -> "\"a" + i + "\":2") + "}}", reader);
    Fuzz.growth(
        file(), 5000,
        n -> config.replace("[\"q_proj\"]", "[" + listed(n, i -> "\"a" + i + "\"") + "]"), reader);
    Fuzz.growth(file(), 50, n -> config.replace("[\"q_proj\"]", "\"" + "(a|a)*".repeat(n) + "b\""), reader);
  }

  @Test
  void dataSets() throws IOException {
    String rows =
        """
        {"instruction": "i", "input": "ü", "output": "o", "id": "a"}
        {"question": "q", "answer": "a", "other": [1, {"x": null}]}
        {"prompt": "p", "response": "r", "score": 1.5, "system": "s"}
        {"messages": [{"role": "user", "content": "u"}, {"role": "assistant", "content": "c", "weight": 1}]}
        {"conversations": [{"from": "human", "value": "u"}, {"from": "gpt", "value": "c"}], "id": 5}
        {"input_ids": [1, 2, 3], "labels": [-100, 2, 3], "attention_mask": [1, 1, 1], "id": 77}
        """;
    String array = "[" + rows.strip().replace("\n", ",\n") + "]";
    Fuzz.Reader reader = file -> DatasetReader.read(file).forEach(DatasetReader::sha256);
    Fuzz.mutations(file(), List.of(rows.getBytes(UTF_8), array.getBytes(UTF_8)), reader);
    IntFunction<String> row = i -> "{\"question\":\"q" + i + "\",\"answer\":\"a\",\"note\":\"n\"}";
    Fuzz.growth(file(), 5000, n -> listed(n, row).replace("},", "}\n"), reader);
    Fuzz.growth(file(), 5000, n -> "[" + listed(n, row) + "]", reader);
    Fuzz.growth(file(), 200_000, n -> "{\"question\":\"" + "x".repeat(n) + "\",\"answer\":\"a\"}", reader);
    Fuzz.growth(
        file(), 100_000,
        n -> "{\"input_ids\":[" + listed(n, i -> "1") + "],\"labels\":[" + listed(n, i -> "1") + "]}", reader);
    Fuzz.growth(file(), 5000, n -> "{}\n".repeat(n), reader);
    Fuzz.growth(file(), 2000, n -> "{" + listed(n, i -> "\"f" + i + "\":\"x\"") + "}\n{\"a\":1}", reader);
  }

  @Test
  void shardIndexes() throws IOException {
    Files.write(dir.resolve("config.json"), resource("golden/llama3_rope/config.json"));
    Files.copy(
        RESOURCES.resolve("golden/rslora/adapter/adapter_model.safetensors"), dir.resolve("one.safetensors"));
    Fuzz.Reader reader =
        file -> {
          Path index = dir.resolve("model.safetensors.index.json");
          Files.copy(file, index, StandardCopyOption.REPLACE_EXISTING);
          HfModelFolder.open(dir).close();
        };
    Fuzz.mutations(
        file(),
        List.of("{\"metadata\": {\"total_size\": 4}, \"weight_map\": {\"a\": \"one.safetensors\"}}".getBytes(UTF_8)),
        reader);
    Fuzz.growth(
        file(), 10_000,
        n -> "{\"weight_map\":{" + listed(n, i -> "\"w" + i + "\":\"one.safetensors\"") + "}}", reader);
  }

  @Test
  void requestFiles() throws IOException {
    Set<String> rows = IntStream.range(0, 1000).mapToObj(i -> "row-" + i).collect(Collectors.toSet());
    Fuzz.Reader reader = file -> RequestFiles.ids("@" + file, rows);
    Fuzz.mutations(
        file(), List.of("row-1\n\n row 2 \n3-9\n# note\n\"quoted\"\n".getBytes(UTF_8), "[\"a\", 7]".getBytes(UTF_8)),
        file -> {
          RequestFiles.check("@" + file);
          RequestFiles.ids("@" + file, rows);
          StrictJson.read(file, 1 << 20);
        });
    Fuzz.growth(file(), 50_000, n -> listed(n, i -> "row-" + i).replace(',', '\n'), reader);
  }

  @Test
  void benchmarkResults() throws IOException {
    String line =
        """
        {"peer":"p","workload":"w","device":"cpu","dtype":"fp32","batch":1,"seq":2,"op":"grad","way":"grad","median_s":0.5}
        """;
    Fuzz.mutations(file(), List.of(line.getBytes(UTF_8), (line + line).getBytes(UTF_8)), BenchResult::read);
    Fuzz.growth(file(), 2000, line::repeat, BenchResult::read);
  }
}
