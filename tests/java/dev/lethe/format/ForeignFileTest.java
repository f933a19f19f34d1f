package dev.lethe.format;

import static dev.lethe.format.Refusals.refusal;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.format.FormatException.Kind;
import dev.lethe.format.safetensors.SafeTensors;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Optional;
import java.util.zip.GZIPOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ForeignFileTest {
  @TempDir Path dir;

  @ParameterizedTest
  @CsvSource({
    "PARQUET, 50415231150015",
    "ARROW, 4152524f5731000000",
    "ARROW, ffffffff78010000100000",
    "SQLITE, 53514c69746520666f726d6174203300",
    "PICKLE, 80057d9400",
    "PICKLE, 80028a0a6cfc9c46f9206aa850192e",
    "GGUF, 4747554603000000",
    "NUMPY, 934e554d50590100",
    "HDF5, 894844460d0a1a0a00",
    "ZSTANDARD, 28b52ffd2400",
    "UTF_16, fffe7b002200",
    "UTF_16, 7b0022006100",
    "UTF_16, feff007b0022",
    "UTF_32, fffe00007b000000",
    "UTF_32, 7b00000022000000"
  })
  void marksAreKnown(ForeignFile kind, String hex) {
    assertEquals(Optional.of(kind), ForeignFile.of(ByteBuffer.wrap(HexFormat.of().parseHex(hex))));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"a\": 1}", "[1]", " \n {}", "1", "", "\uFEFF{}", "\"PAR\"", "PAR", "{\"x\":\"version https://git-lfs\"}", "null"
      })
  void textIsNoForeignFile(String text) {
    for (Charset charset : new Charset[] {StandardCharsets.UTF_8}) {
      assertEquals(Optional.empty(), ForeignFile.of(ByteBuffer.wrap(text.getBytes(charset))));
    }
  }

  /** Headers of these lengths begin as gzip, pickle and UTF-16 do. */
  @ParameterizedTest
  @ValueSource(ints = {0x088b1f, 0x0280, 0x7b, 0x22007b, 0xfeff})
  void aHeadersLengthIsNoMark(int length) {
    byte[] head = new byte[16];
    ByteBuffer.wrap(head).order(java.nio.ByteOrder.LITTLE_ENDIAN).putLong(length).put((byte) '{');
    assertEquals(Optional.of(ForeignFile.SAFETENSORS), ForeignFile.of(ByteBuffer.wrap(head)));
  }

  @Test
  void packedFilesAreKnown() throws IOException {
    ByteArrayOutputStream zip = new ByteArrayOutputStream();
    try (ZipOutputStream out = new ZipOutputStream(zip)) {
      out.putNextEntry(new ZipEntry("data.pkl"));
    }
    ByteArrayOutputStream gzip = new ByteArrayOutputStream();
    new GZIPOutputStream(gzip).close();
    byte[] tar = new byte[1024];
    ByteBuffer.wrap(tar).put(257, "ustar".getBytes(StandardCharsets.US_ASCII));
    assertEquals(Optional.of(ForeignFile.ZIP), ForeignFile.of(ByteBuffer.wrap(zip.toByteArray())));
    assertEquals(Optional.of(ForeignFile.GZIP), ForeignFile.of(ByteBuffer.wrap(gzip.toByteArray())));
    assertEquals(Optional.of(ForeignFile.TAR), ForeignFile.of(ByteBuffer.wrap(tar)));
  }

  @Test
  void theComplaintNamesTheKindAndTheWayOut() throws IOException {
    Path file = dir.resolve("config.json");
    Files.write(file, HexFormat.of().parseHex("50415231150015041b5b324a"));
    FormatException e = refusal(Kind.FOREIGN_FILE, () -> StrictJson.readObject(file, 1 << 20));
    assertTrue(e.getMessage().contains("a Parquet file"), e.getMessage());
    assertTrue(e.getMessage().contains("JSON Lines"), e.getMessage());
    assertTrue(e.getMessage().chars().noneMatch(Character::isISOControl), e.getMessage());
  }

  @Test
  void weightsOfAnotherFormatAreNamed() throws IOException {
    Path file = dir.resolve("model.safetensors");
    Files.write(file, HexFormat.of().parseHex("80028a0a6cfc9c46f9206aa850192e"));
    refusal(Kind.PICKLE, () -> SafeTensors.open(file));
    Files.writeString(file, "\n<!DOCTYPE html><html>404</html>");
    FormatException e = refusal(Kind.FOREIGN_FILE, () -> SafeTensors.open(file));
    assertTrue(e.getMessage().contains("a web page"), e.getMessage());
  }
}
