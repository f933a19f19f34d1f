package dev.lethe.backend.cuda;

import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.cuda.driver.Grid;
import dev.lethe.backend.cuda.gemm.TiledProducts;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.cuda.launch.Kernel;
import dev.lethe.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Products of warpgroups in the emulator: they read shared memory where the PTX ISA's canonical layouts have it, which are
 * written here as the ISA writes them, as shapes and strides and a swizzle; and mistakes end the launch.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class WarpgroupEmulatorTest {
  private static final int DEPTH = 16;
  private static final int ROWS = 64;
  private static final int SHARED_BYTES = 64 << 10;
  private static final long SEED = 20261202;

  /** Elements in 16 bytes. */
  private static final int T = 8;

  private final Random random = new Random(SEED);
  private Cuda cuda;

  @BeforeAll
  void build(@TempDir Path folder) throws Exception {
    Path probe = Path.of("tests/resources/emulator/warpgroup_probe.cu");
    Path library = EmulatorBuild.of(folder, "kernels_emulator").extended("warpgroup_probe", probe);
    cuda = new Cuda(EmulatedDevice.open(library, SEED, true), DType.BF16, TiledProducts::new);
  }

  @AfterAll
  void close() {
    if (cuda != null) {
      cuda.close();
    }
  }

  /** Swizzle<B,4,3> of a byte's address. */
  private static int swizzled(int address, int bits) {
    return address ^ (address >> 7 & (1 << bits) - 1) << 4;
  }

  /** ((8,m),(T,2)):((W T,SBO),(1,T)) with W chunks of 16 bytes a line; bytes of element (row, depth). */
  private static int byRows(int row, int depth, int chunks, int stride) {
    return 2 * (row % 8 * chunks * T + depth % T + depth / T * T) + row / 8 * stride;
  }

  /** ((T,W,m),(8,k)):((1,T,LBO),(W T,SBO)); bytes of element (column, depth). */
  private static int byDepths(int column, int depth, int chunks, int leading, int stride) {
    return 2 * (column % T + column / T % chunks * T + depth % 8 * chunks * T)
        + column / (T * chunks) * leading
        + depth / 8 * stride;
  }

  @ParameterizedTest
  @CsvSource({
    "1, 3, 0, 1024, 16384, 1024", // 128 bytes, tiles without gaps
    "1, 3, 32, 1024, 16480, 1024", // the second and the fourth depths of a line
    "1, 3, 0, 2048, 32768, 3072", // gaps between 8 rows
    "2, 2, 0, 512, 16384, 512",
    "2, 2, 32, 1024, 16384, 512",
    "3, 1, 0, 256, 16384, 512"
  })
  void matricesByRows(int swizzle, int bits, int aStart, int aStride, int bStart, int bStride) {
    float[] a = numbers(ROWS * DEPTH);
    float[] b = numbers(ROWS * DEPTH);
    int[] aPlaces = new int[a.length];
    int[] bPlaces = new int[b.length];
    for (int i = 0; i < a.length; i++) {
      aPlaces[i] = swizzled(aStart + byRows(i / DEPTH, i % DEPTH, 1 << bits, aStride), bits);
      bPlaces[i] = swizzled(bStart + byRows(i / DEPTH, i % DEPTH, 1 << bits, bStride), bits);
    }
    long x = cuda.device().allocate(ROWS * ROWS * Float.BYTES);
    Kernel kernel = cuda.plainKernel("probe_rows");
    kernel.with(upload(aPlaces)).with(upload(a)).with(upload(bPlaces)).with(upload(b)).with(x);
    kernel.with(aStart).with(aStride).with(bStart).with(bStride).with(swizzle);
    run(kernel);
    float[] got = download(x, ROWS * ROWS);
    for (int i = 0; i < got.length; i++) {
      double expected = 0;
      for (int depth = 0; depth < DEPTH; depth++) {
        expected += (double) a[i / ROWS * DEPTH + depth] * b[i % ROWS * DEPTH + depth];
      }
      assertEquals(expected, got[i], 1e-5, "element " + i + ", seed " + SEED);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1, 3, 2048, 1024", // two panels of 64 columns and 16 depths
    "1, 3, 16384, 4096",
    "2, 2, 1024, 512",
    "3, 1, 512, 4096"
  })
  void matricesByDepths(int swizzle, int bits, int leading, int stride) {
    int columns = 128;
    float[] a = numbers(ROWS * DEPTH);
    float[] b = numbers(DEPTH * columns);
    int[] places = new int[b.length];
    for (int i = 0; i < b.length; i++) {
      places[i] = swizzled(byDepths(i % columns, i / columns, 1 << bits, leading, stride), bits);
    }
    long x = cuda.device().allocate(ROWS * columns * Float.BYTES);
    Kernel kernel = cuda.plainKernel("probe_depths");
    kernel.with(upload(a)).with(upload(places)).with(upload(b)).with(x);
    kernel.with(leading).with(stride).with(swizzle);
    run(kernel);
    float[] got = download(x, ROWS * columns);
    for (int i = 0; i < got.length; i++) {
      double expected = 0;
      for (int depth = 0; depth < DEPTH; depth++) {
        expected += (double) a[i / columns * DEPTH + depth] * b[depth * columns + i % columns];
      }
      assertEquals(expected, got[i], 1e-5, "element " + i + ", seed " + SEED);
    }
  }

  @Test
  void withoutMistakeItRuns() {
    for (int i = 0; i < 8; i++) {
      mistake(0);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "1, without waiting for it or without fence_async_proxy",
    "2, without waiting for it or without fence_async_proxy",
    "3, without warpgroup_begin",
    "4, not all of its warps asked for and waited for",
    "5, not all of its warps asked for and waited for",
    "6, a matrix descriptor without swizzle",
    "7, where the block has none",
    "8, the warps of a warpgroup ask for different products"
  })
  void mistakesEndTheLaunch(int mistake, String complaint) {
    for (int i = 0; i < 8; i++) { // late and early copies and products
      String message = assertThrows(IllegalStateException.class, () -> mistake(mistake)).getMessage();
      assertTrue(message.contains(complaint), message);
    }
  }

  private void mistake(int number) {
    long x = cuda.device().allocate(ROWS * ROWS * Float.BYTES);
    run(cuda.plainKernel("probe_mistake").with(upload(numbers(ROWS * ROWS))).with(x).with(number));
  }

  private static void run(Kernel kernel) {
    kernel.run(new Grid(1, 1, 1, 128, SHARED_BYTES));
  }

  /** Numbers that bfloat16 has. */
  private float[] numbers(int count) {
    float[] numbers = new float[count];
    for (int i = 0; i < count; i++) {
      numbers[i] = (random.nextInt(255) - 127) / 128f;
    }
    return numbers;
  }

  private long upload(int[] values) {
    return upload(MemorySegment.ofArray(values));
  }

  private long upload(float[] values) {
    MemorySegment halves = MemorySegment.ofArray(new short[values.length]);
    for (int i = 0; i < values.length; i++) {
      halves.setAtIndex(JAVA_SHORT, i, (short) (Float.floatToRawIntBits(values[i]) >>> 16));
    }
    return upload(halves);
  }

  private long upload(MemorySegment values) {
    long address = cuda.device().allocate(values.byteSize());
    cuda.device().upload(values, address);
    return address;
  }

  private float[] download(long address, int count) {
    float[] values = new float[count];
    cuda.device().download(address, MemorySegment.ofArray(values));
    return values;
  }
}
