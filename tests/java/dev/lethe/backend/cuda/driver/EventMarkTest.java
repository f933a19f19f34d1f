package dev.lethe.backend.cuda.driver;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.EnvironmentException;
import dev.lethe.backend.KernelTime;
import org.junit.jupiter.api.Test;

/** Marks by events, on the stand-in for the driver. */
class EventMarkTest {
  private static final long BYTES = 1 << 20;

  @Test
  void eventsTakeTheTimeOfWhatLiesBetweenThem() {
    try (FakeDriver driver = FakeDriver.open("devices=1");
        JCudaDevice device = JCudaDevice.open(Gpu.find(0));
        Device.Mark first = device.newMark();
        Device.Mark second = device.newMark()) {
      long memory = device.allocate(BYTES);
      first.set();
      device.fill(memory, (byte) 0, BYTES);
      second.set();
      assertThrows(
          EnvironmentException.class, () -> first.secondsUntil(second), "nobody has waited");
      device.synchronize();
      assertTrue(first.secondsUntil(second) > 0);
      device.free(memory);
      assertEquals(4, driver.calls("cuEventRecord") + driver.calls("cuEventElapsedTime"));
    }
  }

  @Test
  void launchesHaveTheirTimeAndNames() {
    try (FakeDriver driver = FakeDriver.open("devices=1");
        TimedDevice device = new TimedDevice(JCudaDevice.open(Gpu.find(0)))) {
      long memory = device.allocate(BYTES);
      device.fill(memory, (byte) 0, BYTES);
      device.copy(memory, memory + BYTES / 2, BYTES / 2);
      var times = device.take();
      assertEquals(2, times.size(), times.toString());
      for (KernelTime time : times) {
        assertEquals(KernelTime.Level.LAUNCH, time.level());
        assertEquals(1, time.calls());
        assertEquals(BYTES, time.cost().bytes(), time.kernel());
        assertTrue(time.seconds() > 0, time.kernel());
      }
      device.free(memory);
    }
  }
}
