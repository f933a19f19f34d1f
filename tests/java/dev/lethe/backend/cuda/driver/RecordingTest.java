package dev.lethe.backend.cuda.driver;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.ArgumentException;
import dev.lethe.backend.EnvironmentException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Graphs of recorded work, on the stand-in for the driver. */
class RecordingTest {
  @Test
  void aRecordingRunsNothingUntilItIsLaunched() {
    try (FakeGpu gpu = FakeGpu.open("devices=1")) {
      JCudaDevice device = gpu.device;
      long x = gpu.vector(1, 2, 3, 4, 5);
      long y = gpu.vector(0, 0, 0, 0, 0);
      long axpby = device.kernel("vector_axpby");
      try (Device.Graph graph =
          device.record(
              () -> {
                assertTrue(device.recording());
                device.launch(axpby, FakeGpu.GRID, gpu.axpby(1, x, 1, y, FakeGpu.COUNT));
                device.launch(axpby, FakeGpu.GRID, gpu.axpby(1, x, 2, y, FakeGpu.COUNT));
              })) {
        assertFalse(device.recording());
        assertArrayEquals(new float[FakeGpu.COUNT], gpu.read(y));
        assertEquals(0, gpu.driver.calls("kernel"));
        graph.launch();
        assertArrayEquals(new float[] {3, 6, 9, 12, 15}, gpu.read(y));
        graph.launch();
        assertArrayEquals(new float[] {9, 18, 27, 36, 45}, gpu.read(y));
        assertEquals(4, gpu.driver.calls("kernel"));
        graph.close();
        assertThrows(IllegalStateException.class, graph::launch);
      }
    }
  }

  @Test
  void whatARecordingCannotHoldIsRefusedAndTheDeviceGoesOn() {
    try (FakeGpu gpu = FakeGpu.open("devices=1")) {
      JCudaDevice device = gpu.device;
      long address = gpu.vector(1, 2, 3, 4, 5);
      byte[] bytes = new byte[4];
      List<Runnable> refused =
          List.of(
              () -> device.allocate(16),
              () -> device.free(address),
              () -> device.upload(MemorySegment.ofArray(bytes), address),
              () -> device.download(address, MemorySegment.ofArray(bytes)),
              device::synchronize,
              () -> device.record(() -> {}));
      for (Runnable work : refused) {
        assertThrows(Device.RecordingRefused.class, () -> device.record(work));
        assertFalse(device.recording());
      }
      ArgumentException own = new ArgumentException("of the work");
      Runnable failing =
          () -> {
            device.fill(address, (byte) 7, 4);
            throw own;
          };
      assertEquals(
          own, assertThrows(ArgumentException.class, () -> device.record(failing)));
      assertArrayEquals(new float[] {1, 2, 3, 4, 5}, gpu.read(address));
    }
  }

  @ParameterizedTest
  @CsvSource({
    "cuStreamBeginCapture_v2=1:900, true",
    "cuStreamEndCapture=1:901, true",
    "cuGraphInstantiateWithFlags=1:2, false"
  })
  void aDriverThatDoesNotRecord(String failure, boolean refused) {
    try (FakeGpu gpu = FakeGpu.open("devices=1")) {
      JCudaDevice device = gpu.device;
      long address = gpu.vector(1, 2, 3, 4, 5);
      gpu.driver.configure("devices=1 " + failure);
      RuntimeException e =
          assertThrows(
              RuntimeException.class,
              () -> device.record(() -> device.fill(address, (byte) 0, 4)));
      assertEquals(refused, e instanceof Device.RecordingRefused, e.toString());
      assertTrue(refused || e instanceof EnvironmentException, e.toString());
      assertEquals(0, gpu.driver.live("graph"));
      gpu.driver.configure("devices=1");
      assertArrayEquals(new float[] {1, 2, 3, 4, 5}, gpu.read(address));
    }
  }
}
