package dev.lethe.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.KernelTime;
import dev.lethe.backend.cuda.driver.TimedDevice;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Every launch of a timed device is in its times, under the kernel's name, beyond one bunch of marks too. */
class TimedDeviceTest {
  private static final int LAUNCHES = 1100;

  @Test
  void launchesAreTimedByName() {
    TimedDevice clock = new TimedDevice(EmulatedDevice.open());
    try (CudaBackend backend = new CudaBackend(new Cuda(clock, DType.F32, TiledProducts::new));
        Scope scope = backend.openScope("test")) {
      Tensor a = scope.allocate(DType.F32, 3, 8);
      Tensor b = scope.allocate(DType.F32, 3, 8);
      Tensor h = scope.allocate(DType.F32, 3, 8);
      backend.upload(Tensor.of(a.shape(), new double[24]), a);
      backend.upload(Tensor.of(a.shape(), new double[24]), b);
      backend.takeKernelTimes();
      for (int i = 0; i < LAUNCHES; i++) {
        backend.swiGlu().forward(a, b, h);
      }
      List<KernelTime> times = backend.takeKernelTimes();
      assertEquals(1, times.size(), times.toString());
      assertEquals("swiglu_forward_f32", times.getFirst().kernel());
      assertEquals(LAUNCHES, times.getFirst().calls());
      assertTrue(times.getFirst().seconds() > 0);
      assertEquals(List.of(), backend.takeKernelTimes(), "they were taken");
    }
  }
}
