package dev.lethe.backend.cuda.driver;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.EnvironmentException;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** A GPU by JCuda, from the first call to the last, on the stand-in for the driver. */
class JCudaDeviceTest {
  @Test
  void describesItself() {
    try (FakeGpu gpu = FakeGpu.open("devices=1 capability=90 multiprocessors=7 memory=2000000000")) {
      JCudaDevice device = gpu.device;
      assertEquals("cuda:0", device.place());
      assertEquals(
          "Fake GPU (cuda:0, compute capability 9.0, 2 GB, driver for CUDA 13.0)",
          device.description());
      assertEquals(7, device.multiprocessors());
      assertEquals(2_000_000_000L, device.freeBytes());
      assertTrue(device.canRecord());
      assertTrue(device.stream() != 0);
    }
  }

  @Test
  void warpgroupsAreForHopperAlone() {
    System.setProperty("lethe.cuda.wgmma", "true");
    try {
      try (FakeGpu gpu = FakeGpu.open("devices=1 capability=90")) {
        assertTrue(gpu.device.warpgroups());
      }
      try (FakeDriver driver = FakeDriver.open("devices=1 capability=86")) {
        Gpu other = Gpu.find(0);
        EnvironmentException e = assertThrows(EnvironmentException.class, () -> JCudaDevice.open(other));
        assertTrue(e.getMessage().contains("compute capability 9.0, and this is Fake GPU"), e.getMessage());
      }
    } finally {
      System.clearProperty("lethe.cuda.wgmma");
    }
    try (FakeGpu gpu = FakeGpu.open("devices=1 capability=90")) {
      assertFalse(gpu.device.warpgroups());
    }
  }

  @Test
  void everythingIsGivenBack() {
    try (FakeGpu gpu = FakeGpu.open("devices=1")) {
      JCudaDevice device = gpu.device;
      long address = device.allocate(1000);
      device.upload(MemorySegment.ofArray(new byte[1000]), address);
      Device.Graph graph = device.record(() -> device.fill(address, (byte) 1, 1000));
      graph.launch();
      device.kernel("vector_axpby");
      assertTrue(gpu.driver.live("module") > 0 && gpu.driver.live("executable") == 1);
      assertEquals(0, gpu.driver.live("graph"), "the graph that the executable was made of");
      graph.close();
      graph.close();
      device.free(address);
    }
  }

  @Test
  void aDeviceThatDoesNotOpenLeavesNothing() {
    for (String failure : new String[] {"cuModuleLoadData=1:209", "cuStreamCreate=1:999"}) {
      try (FakeDriver driver = FakeDriver.open("devices=1 " + failure)) {
        Gpu gpu = Gpu.find(0);
        assertThrows(EnvironmentException.class, () -> JCudaDevice.open(gpu));
        driver.assertNothingLives();
      }
    }
  }

  @Test
  void copiesOfAllSizesArrive() {
    try (FakeGpu gpu = FakeGpu.open("devices=1")) {
      JCudaDevice device = gpu.device;
      for (int size : new int[] {1, 4096, (16 << 20) + 7, 50_000_001}) {
        byte[] sent = new byte[size];
        for (int i = 0; i < size; i++) {
          sent[i] = (byte) (i * 31 ^ i >> 11);
        }
        long address = device.allocate(2L * size);
        device.upload(MemorySegment.ofArray(sent), address);
        device.copy(address, address + size, size);
        byte[] back = new byte[size];
        device.download(address + size, MemorySegment.ofArray(back));
        assertArrayEquals(sent, back, size + " bytes");
        device.free(address);
      }
    }
  }

  @Test
  void otherThreadsMayCallOneAfterAnother() {
    try (FakeGpu gpu = FakeGpu.open("devices=1")) {
      long x = gpu.vector(1, 2, 3, 4, 5);
      for (boolean virtual : new boolean[] {false, true}) {
        AtomicReference<Object> result = new AtomicReference<>();
        Runnable work =
            () -> {
              try {
                result.set(gpu.read(x));
              } catch (RuntimeException | Error e) {
                result.set(e);
              }
            };
        join(virtual ? Thread.ofVirtual().start(work) : Thread.ofPlatform().start(work));
        assertArrayEquals(new float[] {1, 2, 3, 4, 5}, (float[]) result.get());
      }
      assertArrayEquals(new float[] {1, 2, 3, 4, 5}, gpu.read(x));
    }
  }

  @Test
  void useAfterClose() {
    try (FakeDriver driver = FakeDriver.open("devices=1")) {
      JCudaDevice device = JCudaDevice.open(Gpu.find(0));
      device.close();
      device.close();
      IllegalStateException e =
          assertThrows(IllegalStateException.class, () -> device.allocate(1));
      assertEquals("cuda:0 is closed", e.getMessage());
      driver.assertNothingLives();
    }
  }

  private static void join(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
