package dev.lethe.backend.cuda.gemm;

import static dev.lethe.tensor.DType.BF16;
import static dev.lethe.tensor.DType.F32;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/**
 * The launcher's tiles are those that the kernels' sources instantiate. Less shared memory than a kernel uses ends a
 * launch in the emulator; too much of it would only be slow, so that nothing but this test would notice.
 */
final class GemmTileTest {
  private static final Path KERNELS = Path.of("kernels");
  private static final int WARP = 32;

  @Test
  void bfloat16() throws IOException {
    String source = Files.readString(KERNELS.resolve("gemm_bf16.cuh"));
    int depth = constant("GEMM_DEPTH", Files.readString(KERNELS.resolve("gemm.cuh")));
    int pad = constant("PAD", source);
    Set<GemmTile> found = EnumSet.noneOf(GemmTile.class);
    for (MatchResult shape : shapes(source, "using (\\w+)Bf16 = Bf16Block<(\\d+), (\\d+), (\\d+), (\\d+), (\\d+),")) {
      GemmTile tile = tile(shape);
      found.add(tile);
      int rows = number(shape, 2);
      int columns = number(shape, 3);
      int buffers = number(shape, 6);
      assertCovers(tile, rows, columns);
      assertEquals(WARP * number(shape, 4) * number(shape, 5), tile.threads(BF16), tile + ": threads");
      for (boolean transposedA : new boolean[] {false, true}) {
        for (boolean transposedB : new boolean[] {false, true}) {
          int a = transposedA ? depth * (rows + pad) : rows * (depth + pad);
          int b = transposedB ? columns * (depth + pad) : depth * (columns + pad);
          assertEquals(
              buffers * (a + b) * BF16.bytes(),
              tile.sharedBytes(BF16, transposedA, transposedB),
              "%s, A transposed: %b, B transposed: %b".formatted(tile, transposedA, transposedB));
        }
      }
    }
    assertEquals(EnumSet.allOf(GemmTile.class), found);
    assertEquals(depth, GemmTile.DEPTH);
  }

  @Test
  void float32() throws IOException {
    String source = Files.readString(KERNELS.resolve("gemm_f32.cuh"));
    int threads = constant("THREADS", source);
    Set<GemmTile> found = EnumSet.noneOf(GemmTile.class);
    for (MatchResult shape : shapes(source, "using (\\w+)F32 = F32Block<(\\d+), (\\d+),")) {
      GemmTile tile = tile(shape);
      found.add(tile);
      assertCovers(tile, number(shape, 2), number(shape, 3));
      assertEquals(threads, tile.threads(F32), tile + ": threads");
      assertEquals(0, tile.sharedBytes(F32, false, true), tile + ": its shared arrays are static");
    }
    assertEquals(EnumSet.complementOf(EnumSet.of(GemmTile.WIDE)), found);
  }

  private static void assertCovers(GemmTile tile, int rows, int columns) {
    assertEquals(1, tile.count(rows, columns), () -> tile + " covers %d by %d".formatted(rows, columns));
    assertEquals(2, tile.count(rows + 1, columns), () -> tile + " has %d rows".formatted(rows));
    assertEquals(2, tile.count(rows, columns + 1), () -> tile + " has %d columns".formatted(columns));
  }

  private static Iterable<MatchResult> shapes(String source, String pattern) {
    return Pattern.compile(pattern).matcher(source).results().toList();
  }

  private static GemmTile tile(MatchResult shape) {
    return GemmTile.valueOf(shape.group(1).toUpperCase(Locale.ROOT));
  }

  private static int number(MatchResult shape, int group) {
    return Integer.parseInt(shape.group(group));
  }

  private static int constant(String name, String source) {
    return Pattern.compile("constexpr int " + name + " = (\\d+);")
        .matcher(source)
        .results()
        .map(value -> Integer.parseInt(value.group(1)))
        .findFirst()
        .orElseThrow(() -> new AssertionError("no constant " + name));
  }
}
