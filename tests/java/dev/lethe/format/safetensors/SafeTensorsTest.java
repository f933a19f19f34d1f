package dev.lethe.format.safetensors;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.ArgumentException;
import dev.lethe.ClosedException;
import dev.lethe.RealData;
import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.FormatException;
import dev.lethe.format.Refusals;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.HostAllocator;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafeTensorsTest {
  private static final DType[] PLAIN =
      Arrays.stream(DType.values()).filter(dtype -> !dtype.isBlocks()).toArray(DType[]::new);

  @TempDir Path dir;

  @Test
  void whatIsWrittenIsReadBackByteForByte() {
    for (long seed = 0; seed < 60; seed++) {
      Map<String, Tensor> tensors = randomTensors(new Random(seed));
      Map<String, String> metadata = Map.of("format", "pt", "käse \"x\"\n", "\u0001 日本");
      Path file = dir.resolve("round" + seed + ".safetensors");
      SafeTensors.write(file, tensors, metadata);
      try (SafeTensors read = SafeTensors.open(file)) {
        assertEquals(tensors.keySet(), new java.util.HashSet<>(read.names()), "seed " + seed);
        assertEquals(metadata, read.metadata(), "seed " + seed);
        tensors.forEach(
            (name, tensor) -> {
              Tensor got = read.get(name);
              assertEquals(tensor.dtype(), got.dtype());
              assertEquals(tensor.shape(), got.shape());
              assertEquals(-1, tensor.segment().mismatch(got.segment()));
              assertEquals(
                  0,
                  got.segment().address() % got.dtype().bytes(),
                  "every tensor is aligned to its element");
            });
      }
    }
  }

  @Test
  void theBytesDoNotDependOnTheOrderOfTheArguments() throws IOException {
    Map<String, Tensor> tensors = randomTensors(new Random(7));
    List<String> names = new ArrayList<>(tensors.keySet());
    Collections.reverse(names);
    Map<String, Tensor> reversed = new LinkedHashMap<>();
    names.forEach(name -> reversed.put(name, tensors.get(name)));
    SafeTensors.write(dir.resolve("a"), tensors, Map.of("x", "1", "a", "2"));
    SafeTensors.write(dir.resolve("b"), reversed, Map.of("a", "2", "x", "1"));
    assertEquals(-1, Files.mismatch(dir.resolve("a"), dir.resolve("b")));
  }

  @Test
  void partsFollowOneAnother() {
    Tensor first = Tensor.of(Shape.of(1, 2), 1f, 2f);
    Tensor second = Tensor.of(Shape.of(2, 2), 3f, 4f, 5f, 6f);
    SafeTensors.writeParts(dir.resolve("parts"), Map.of("w", List.of(first, second)), Map.of());
    try (SafeTensors file = SafeTensors.open(dir.resolve("parts"))) {
      assertEquals(Shape.of(3, 2), file.get("w").shape());
      assertArrayEquals(new double[] {1, 2, 3, 4, 5, 6}, file.get("w").toDoubles());
    }
    Tensor wide = Tensor.of(Shape.of(1, 3), 1f, 2f, 3f);
    assertThrows(
        ArgumentException.class,
        () -> SafeTensors.writeParts(dir.resolve("bad"), Map.of("w", List.of(first, wide)), Map.of()));
    assertFalse(Files.exists(dir.resolve("bad")));
  }

  @Test
  void tensorsOfAScopeAndViewsAreWritten() {
    try (HostAllocator memory = new HostAllocator();
        Scope scope = Scope.open("test", memory)) {
      Tensor t = scope.allocate(DType.F32, 3, 5);
      for (int i = 0; i < 15; i++) {
        t.set(i, i);
      }
      SafeTensors.write(dir.resolve("v"), Map.of("rows", t.slice(1, 2), "all", t), Map.of());
      try (SafeTensors read = SafeTensors.open(dir.resolve("v"))) {
        assertArrayEquals(
            new double[] {5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, read.get("rows").toDoubles());
      }
    }
  }

  @Test
  void aFileMayReplaceTheOneItsTensorsComeFrom() {
    Path file = dir.resolve("same");
    SafeTensors.write(file, Map.of("w", Tensor.of(Shape.of(2), 1f, 2f)), Map.of());
    try (SafeTensors read = SafeTensors.open(file)) {
      SafeTensors.write(file, Map.of("w", read.get("w"), "v", read.get("w")), Map.of());
      assertArrayEquals(new double[] {1, 2}, read.get("w").toDoubles());
    }
    try (SafeTensors read = SafeTensors.open(file)) {
      assertEquals(2, read.names().size());
    }
  }

  @Test
  void namesComeInTheOrderOfTheBytesWhateverTheHeaderSays() throws IOException {
    String header =
        "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]},"
            + "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";
    try (SafeTensors read = SafeTensors.open(file(header, 2))) {
      assertEquals(List.of("a", "b"), List.copyOf(read.names()));
      assertTrue(read.contains("a"));
      assertFalse(read.contains("c"));
      Refusals.refusal(Kind.UNKNOWN_TENSOR, () -> read.get("c"));
    }
  }

  @Test
  void tensorsAreReadOnlyAndDieWithTheFile() {
    Path file = dir.resolve("closed");
    SafeTensors.write(file, Map.of("w", Tensor.of(Shape.of(2), 1f, 2f)), Map.of());
    SafeTensors read = SafeTensors.open(file);
    Tensor view = read.get("w");
    assertThrows(RuntimeException.class, () -> view.set(0, 5));
    read.close();
    read.close();
    assertThrows(ClosedException.class, () -> view.get(0));
    ClosedException e = assertThrows(ClosedException.class, () -> read.get("w"));
    assertTrue(e.getMessage().contains("closed"), e.getMessage());
  }

  @Test
  void tensorsBeyondTwoGibibytesAreReadInPlace() throws IOException {
    long rows = (1L << 31) + 3;
    String header =
        "{\"big\":{\"dtype\":\"U8\",\"shape\":[%d],\"data_offsets\":[0,%d]}}".formatted(rows, rows);
    Path file = file(header, 0);
    try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
      sparse.setLength(8 + header.length() + rows);
      sparse.seek(sparse.length() - 1);
      sparse.write(42);
    }
    try (SafeTensors read = SafeTensors.open(file)) {
      assertEquals(42, read.get("big").get(rows - 1));
      assertEquals(0, read.get("big").get(1L << 31));
    }
  }

  @Test
  void moreThanAHundredThousandTensorsAreRefused() throws IOException {
    StringBuilder header = new StringBuilder("{");
    for (int i = 0; i <= SafeTensorsHeader.MAX_TENSORS; i++) {
      header.append(i == 0 ? "" : ",").append('"').append(i);
      header.append("\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}");
    }
    Path file = file(header.append("}").toString(), 0);
    Refusals.refusal(Kind.TOO_MANY, () -> SafeTensors.open(file));
  }

  @Test
  void unknownFieldsOfAnEntryAreSkippedAsByTheFormatsOwnReader() throws IOException {
    String header =
        "{\"a\":{\"dtype\":\"U8\",\"note\":{\"x\":[1]},\"shape\":[1],\"data_offsets\":[0,1]}}";
    try (SafeTensors read = SafeTensors.open(file(header, 1))) {
      assertEquals(Shape.of(1), read.get("a").shape());
    }
  }

  @Test
  void aFolderAndAMissingFileAreNamed() {
    Refusals.refusal(Kind.FILE_MISSING, () -> SafeTensors.open(dir));
    FormatException e =
        Refusals.refusal(Kind.FILE_MISSING, () -> SafeTensors.open(dir.resolve("no.safetensors")));
    assertTrue(e.getMessage().contains("no.safetensors"), e.getMessage());
  }

  @Test
  void aTensorThatTheFormatCannotHoldIsRefusedBeforeAnythingIsWritten() throws IOException {
    Tensor rank9 = Tensor.of(Shape.of(1, 1, 1, 1, 1, 1, 1, 1, 1), 1f);
    assertThrows(
        ArgumentException.class,
        () -> SafeTensors.write(dir.resolve("r"), Map.of("w", rank9), Map.of()));
    try (Stream<Path> left = Files.list(dir)) {
      assertEquals(0, left.count());
    }
  }

  @Test
  void readsTheFilesThatEveryCorrectReaderAccepts() throws IOException {
    Path cases = RealData.require("safetensors_cases");
    try (Stream<Path> files = Files.list(cases)) {
      for (Path file : files.toList()) {
        try (SafeTensors read = SafeTensors.open(file)) {
          for (String name : read.names()) {
            assertEquals(DType.I32, read.get(name).dtype(), file.toString());
          }
        }
      }
    }
    try (SafeTensors read = SafeTensors.open(cases.resolve("test_deserialization.safetensors"))) {
      assertArrayEquals(new double[4], read.get("test").toDoubles());
    }
  }

  private Path file(String header, int dataBytes) throws IOException {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    ByteBuffer bytes = ByteBuffer.allocate(8 + json.length + dataBytes);
    bytes.order(ByteOrder.LITTLE_ENDIAN).putLong(json.length).put(json);
    return Files.write(dir.resolve("made.safetensors"), bytes.array());
  }

  private static Map<String, Tensor> randomTensors(Random random) {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    int count = random.nextInt(8);
    for (int i = 0; i < count; i++) {
      DType dtype = PLAIN[random.nextInt(PLAIN.length)];
      long[] dims = random.longs(random.nextInt(5), 0, 6).toArray();
      Shape shape = Shape.of(dims);
      byte[] bytes = new byte[(int) shape.elements() * dtype.bytes()];
      random.nextBytes(bytes);
      MemorySegment memory =
          random.nextBoolean() ? MemorySegment.ofArray(bytes) : floatsOf(bytes, dtype);
      tensors.put(
          "model.layer." + random.nextInt(100) + ".w" + i, Tensor.view(memory, dtype, shape));
    }
    return tensors;
  }

  /** Heap memory of another element type, which NIO buffers cannot show. */
  private static MemorySegment floatsOf(byte[] bytes, DType dtype) {
    if (dtype.bytes() != Float.BYTES) {
      return MemorySegment.ofArray(bytes);
    }
    MemorySegment floats = MemorySegment.ofArray(new float[bytes.length / Float.BYTES]);
    MemorySegment.copy(bytes, 0, floats, ValueLayout.JAVA_BYTE, 0, bytes.length);
    return floats;
  }
}
