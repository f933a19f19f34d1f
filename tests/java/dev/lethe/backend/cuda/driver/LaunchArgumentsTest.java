package dev.lethe.backend.cuda.driver;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What of a launch reaches the driver. */
class LaunchArgumentsTest {
  @Test
  void argumentsArriveAsTheyWereSent() {
    try (FakeGpu gpu = FakeGpu.open("devices=1")) {
      long x = gpu.vector(1, 2, 3, 4, 5);
      long y = gpu.vector(10, 20, 30, 40, 50);
      Grid grid = new Grid(3, 2, 4, 128, 512);
      long kernel = gpu.device.kernel("vector_axpby");
      MemorySegment sent = gpu.axpby(-1.5f, x, 0x1p-3f, y + 8, 3);
      gpu.record(() -> gpu.device.launch(kernel, grid, sent));
      String[] words = gpu.driver.lastLaunch().split(" ");
      assertEquals(
          List.of("vector_axpby", "3", "2", "4", "128", "512"), List.of(words).subList(0, 6));
      assertEquals(11, words.length, gpu.driver.lastLaunch());
      assertEquals(-1.5f, asFloat(words[6]));
      assertEquals(x, asLong(words[7]));
      assertEquals(0x1p-3f, asFloat(words[8]));
      assertEquals(y + 8, asLong(words[9]), "an address within a block");
      assertEquals(3, asLong(words[10]));
      long count = 0x7edc_ba98_7654_3210L;
      MemorySegment odd = gpu.axpby(Float.NaN, 0, 0, -1, count);
      gpu.record(() -> gpu.device.launch(kernel, FakeGpu.GRID, odd));
      words = gpu.driver.lastLaunch().split(" ");
      assertEquals(Float.floatToIntBits(Float.NaN), (int) asLong(words[6]));
      assertEquals(0, asLong(words[7]), "null");
      assertEquals(-1, asLong(words[9]), "all bits");
      assertEquals(count, asLong(words[10]));
    }
  }

  @Test
  void argumentsMayChangeAsSoonAsALaunchIsQueued() {
    try (FakeGpu gpu = FakeGpu.open("devices=1")) {
      long x = gpu.vector(1, 2, 3, 4, 5);
      long y = gpu.vector(10, 20, 30, 40, 50);
      MemorySegment parameters = gpu.axpby(2, x, 1, y, FakeGpu.COUNT);
      gpu.device.launch(gpu.device.kernel("vector_axpby"), FakeGpu.GRID, parameters);
      parameters.fill((byte) 0);
      assertArrayEquals(new float[] {12, 24, 36, 48, 60}, gpu.read(y));
    }
  }

  private static long asLong(String hex) {
    return Long.parseUnsignedLong(hex, 16);
  }

  private static float asFloat(String hex) {
    return Float.intBitsToFloat((int) asLong(hex));
  }
}
