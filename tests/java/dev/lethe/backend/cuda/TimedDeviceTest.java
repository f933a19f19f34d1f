package dev.lethe.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.Backend;
import dev.lethe.backend.KernelTime;
import dev.lethe.backend.TimedBackend;
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
    try (Backend backend =
            TimedBackend.of(
                new CudaBackend(new Cuda(clock, DType.F32, TiledProducts::new)), clock);
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
      assertEquals(
          List.of("swiGlu.forward", "swiglu_forward_f32"),
          times.stream().map(KernelTime::kernel).toList());
      for (KernelTime time : times) {
        assertEquals(LAUNCHES, time.calls());
        assertTrue(time.seconds() > 0);
        assertEquals(LAUNCHES * 3.0 * 96, time.cost().bytes(), "three tensors of 24 numbers");
      }
      assertEquals(List.of(), backend.takeKernelTimes(), "they were taken");
    }
  }
}
