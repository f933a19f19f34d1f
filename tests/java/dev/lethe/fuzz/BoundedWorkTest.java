package dev.lethe.fuzz;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.data.Encoder;
import dev.lethe.data.PromptTemplate;
import dev.lethe.data.Row;
import dev.lethe.data.Sample;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.StrictJson;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.tokenizer.HfTokenizer;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.ObjectNode;

/** Work that a file or a request asks for is bounded before it is done; limits are about ten times what is needed. */
class BoundedWorkTest {
  private static final com.sun.management.ThreadMXBean THREADS =
      (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();

  @TempDir private Path dir;

  @Test
  void aHeaderOfSpacesIsRefusedBeforeItIsRead() throws IOException {
    int size = 90 << 20;
    ByteBuffer bytes = ByteBuffer.allocate(8 + size).order(ByteOrder.LITTLE_ENDIAN).putLong(size).put((byte) '{');
    Arrays.fill(bytes.array(), 9, 8 + size - 1, (byte) ' ');
    bytes.put(8 + size - 1, (byte) '}');
    Path file = Files.write(dir.resolve("spaces.safetensors"), bytes.array());
    long before = THREADS.getCurrentThreadAllocatedBytes();
    FormatException e = assertThrows(FormatException.class, () -> SafeTensors.open(file));
    assertEquals(Kind.HEADER_LENGTH, e.kind());
    assertTrue(THREADS.getCurrentThreadAllocatedBytes() - before < 8 << 20, "the header became text");
  }

  @Test
  void manyPatternsOfRanks() {
    ObjectNode json = PeftAdapterConfig.create(4, 8, 0, List.of("q_proj"), "m").raw();
    ObjectNode patterns = json.putObject("rank_pattern");
    IntStream.range(0, 20_000).forEach(i -> patterns.put("layers." + i + ".mlp.up_proj", 2));
    PeftAdapterConfig config = PeftAdapterConfig.parse(json, "test");
    withinSeconds(5, () -> {
      for (int layer = 0; layer < 32; layer++) {
        for (String module : List.of("self_attn.q_proj", "self_attn.k_proj", "mlp.up_proj", "mlp.down_proj")) {
          assertEquals(module.endsWith("up_proj") ? 2 : 4, config.rankOf("model.layers." + layer + "." + module));
        }
      }
    });
    IntStream.range(0, 2000).forEach(i -> patterns.put("(a|b)" + i, 2));
    FormatException e = assertThrows(FormatException.class, () -> PeftAdapterConfig.parse(json, "test"));
    assertTrue(e.getMessage().contains("rank_pattern"), e.getMessage());
  }

  @Test
  void aRowOfOneEndlessWord() {
    try (HfTokenizer tokenizer = HfTokenizer.open(Path.of("tests/resources/tokenizers/llama3"))) {
      Encoder encoder = new Encoder(tokenizer, PromptTemplate.byName("plain"), 4096);
      Row row = new Row.PromptRow("a", "q", "x".repeat(10 << 20));
      withinSeconds(3, () -> {
        FormatException e = assertThrows(FormatException.class, () -> encoder.encode(List.of(row), "data"));
        assertEquals(Kind.TOO_LONG, e.kind());
      });
      assertEquals(1, encoder.encode(List.of(new Row.PromptRow("b", "q", "x " + " ".repeat(30_000) + "y")), "data").size());
    }
  }

  @Test
  void aRequestForAFifthOfManyRows() {
    List<Sample> rows =
        IntStream.range(0, 200_000)
            .mapToObj(i -> new Sample("row-" + i, new int[] {1, 2}, new int[] {-100, 2}, "hash" + i)).toList();
    List<Sample> others = rows.stream().limit(40_000).map(row -> new Sample(row.id(), new int[] {1, 3}, new int[] {-100, 3}, "new")).toList();
    withinSeconds(
        10, () -> assertEquals(40_000, UnlearnRequest.of(rows, others.stream().map(Sample::id).toList(), others).changes().size()));
  }

  private static void withinSeconds(double seconds, Runnable work) {
    long start = THREADS.getCurrentThreadCpuTime();
    work.run();
    double spent = (THREADS.getCurrentThreadCpuTime() - start) / 1e9;
    assertTrue(spent < seconds, "took " + spent + " s of CPU time");
  }
}
