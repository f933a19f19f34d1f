package dev.lethe.format.gguf;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.format.FormatException;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files that lie are refused by the product's own exception before anything is allocated. */
class GgufAttackTest {
  private static final Path WHOLE = Path.of("tests/resources/golden/gguf/qwen2.gguf");

  @TempDir private Path dir;

  @Test
  void roundTrips() {
    Path file = dir.resolve("a.gguf");
    Map<String, Object> metadata = new LinkedHashMap<>();
    metadata.put("general.type", "adapter");
    metadata.put("a.count", 7);
    metadata.put("a.alpha", 0.5f);
    metadata.put("a.flag", true);
    metadata.put("a.names", List.of("x", "ü"));
    GgufWriter.write(file, metadata, Map.of("t", Tensor.of(Shape.of(2, 3), 1f, 2f, 3f, 4f, 5f, 6f)));
    try (GgufFile read = GgufFile.open(file)) {
      assertEquals(7L, read.metadata().get("a.count"));
      assertEquals(0.5, read.metadata().get("a.alpha"));
      assertEquals(List.of("x", "ü"), read.metadata().get("a.names"));
      assertEquals(Shape.of(2, 3), read.get("t").shape());
      assertEquals(6, read.get("t").get(5));
    }
  }

  @Test
  void refusesWhatIsNotRead() throws IOException {
    assertEquals(Kind.UNSUPPORTED, refusal(bytes -> bytes.putInt(4, 1)).kind());
    assertTrue(refusal(bytes -> bytes.putInt(4, Integer.reverseBytes(3))).getMessage().contains("big-endian"));
    assertEquals(Kind.TRUNCATED, refusal(bytes -> bytes.putLong(8, 1L << 40)).kind());
    assertEquals(Kind.TRUNCATED, refusal(bytes -> bytes.putLong(16, -1)).kind());
  }

  @Test
  void refusesTruncatedAndLengthenedFiles() throws IOException {
    byte[] whole = Files.readAllBytes(WHOLE);
    for (int size : new int[] {0, 3, 8, 24, 100, 700, whole.length / 2, whole.length - 33}) {
      Path file = Files.write(dir.resolve("cut.gguf"), Arrays.copyOf(whole, size));
      assertThrows(FormatException.class, () -> GgufFile.open(file).close(), size + " bytes");
    }
    Path file = Files.write(dir.resolve("long.gguf"), Arrays.copyOf(whole, whole.length + 64));
    FormatException e = assertThrows(FormatException.class, () -> GgufFile.open(file).close());
    assertEquals(Kind.TRAILING_BYTES, e.kind());
  }

  /** Whatever byte of the header is changed, a file is read or refused. */
  @Test
  void changedBytesAreReadOrRefused() throws IOException {
    byte[] whole = Files.readAllBytes(WHOLE);
    Random random = new Random(13);
    Path file = dir.resolve("changed.gguf");
    int refused = 0;
    for (int i = 0; i < 1500; i++) {
      byte[] bytes = whole.clone();
      for (int change = 0; change <= random.nextInt(3); change++) {
        bytes[random.nextInt(1600)] = (byte) random.nextInt(256);
      }
      Files.write(file, bytes);
      try (GgufModel model = GgufModel.open(file)) {
        model.tensorNames().forEach(model::tensor);
      } catch (LetheException e) {
        refused++;
      }
    }
    assertTrue(refused > 500, refused + " refused");
  }

  private FormatException refusal(Consumer<ByteBuffer> change) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(WHOLE)).order(ByteOrder.LITTLE_ENDIAN);
    change.accept(bytes);
    Path file = Files.write(dir.resolve("lie.gguf"), bytes.array());
    return assertThrows(FormatException.class, () -> GgufFile.open(file).close());
  }
}
