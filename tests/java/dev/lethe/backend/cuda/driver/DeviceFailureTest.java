package dev.lethe.backend.cuda.driver;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.EnvironmentException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Calls of the driver that fail, and what is said of it. */
class DeviceFailureTest {
  @Test
  void outOfMemorySaysWhatIsWantedAndWhatThereIs() {
    try (FakeGpu gpu = FakeGpu.open("devices=1 memory=104857600")) {
      JCudaDevice device = gpu.device;
      long held = device.allocate(60 << 20);
      OutOfMemoryError e =
          assertThrows(OutOfMemoryError.class, () -> device.allocate(50 << 20));
      assertEquals(
          "Fake GPU has 40 MiB of 100 MiB left and 51 MiB more were wanted", e.getMessage());
      device.free(held);
      device.free(device.allocate(50 << 20));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {700, 702, 710, 714, 715, 716, 717, 718, 719})
  void aLostContextIsOneLineAndStaysLost(int code) {
    try (FakeGpu gpu = FakeGpu.open("devices=1 kernel=1:" + code)) {
      JCudaDevice device = gpu.device;
      long x = gpu.vector(1, 2, 3, 4, 5);
      long axpby = device.kernel("vector_axpby");
      MemorySegment parameters = gpu.axpby(1, x, 1, x, FakeGpu.COUNT);
      device.launch(axpby, FakeGpu.GRID, parameters);
      final String message =
          assertThrows(EnvironmentException.class, device::synchronize).getMessage();
      assertTrue(message.contains("(" + code + ")"), message);
      assertTrue(message.contains("vector_axpby"), message);
      assertTrue(message.contains("start it again"), message);
      assertFalse(message.contains("\n"), message);
      List<Runnable> later =
          List.of(
              () -> device.allocate(1),
              () -> device.upload(MemorySegment.ofArray(new byte[1]), x),
              () -> device.download(x, MemorySegment.ofArray(new byte[1])),
              () -> device.launch(axpby, FakeGpu.GRID, parameters),
              () -> device.record(() -> {}),
              () -> device.fill(x, (byte) 0, 1),
              () -> device.copy(x, x, 1),
              () -> device.kernel("vector_fill"),
              device::freeBytes,
              device::synchronize);
      for (Runnable call : later) {
        assertEquals(message, assertThrows(EnvironmentException.class, call::run).getMessage());
      }
      device.free(x);
    }
  }

  @Test
  void aFailureThatLeavesTheContextWholeIsNotLost() {
    try (FakeGpu gpu = FakeGpu.open("devices=1")) {
      JCudaDevice device = gpu.device;
      long x = gpu.vector(1, 2, 3, 4, 5);
      gpu.driver.configure("devices=1 cuMemsetD8Async=1:1");
      EnvironmentException e =
          assertThrows(EnvironmentException.class, () -> device.fill(x, (byte) 0, 4));
      assertTrue(e.getMessage().contains("filling device memory failed"), e.getMessage());
      assertArrayEquals(new float[] {1, 2, 3, 4, 5}, gpu.read(x));
    }
  }
}
