package dev.lethe.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.Backend;
import dev.lethe.backend.KernelTime;
import dev.lethe.backend.TimedBackend;
import dev.lethe.backend.cuda.driver.TimedDevice;
import dev.lethe.backend.cuda.gemm.TiledProducts;
import dev.lethe.backend.cuda.gemm.TimedProducts;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.kernel.GatedUnitKernels;
import dev.lethe.backend.kernel.LossKernels;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.backend.kernel.operand.Nonlinearity;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
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
      GatedUnitKernels.Primal primal =
          new GatedUnitKernels.Primal(Nonlinearity.SILU, a, b);
      backend.takeKernelTimes();
      for (int i = 0; i < LAUNCHES; i++) {
        backend.run(new GatedUnitKernels.Forward(primal, h));
      }
      List<KernelTime> times = backend.takeKernelTimes();
      assertEquals(
          List.of("gatedUnit.forward", "gated_forward_silu_f32"),
          times.stream().map(KernelTime::kernel).toList());
      for (KernelTime time : times) {
        assertEquals(LAUNCHES, time.calls());
        assertTrue(time.seconds() > 0);
        assertEquals(LAUNCHES * 3.0 * 96, time.cost().bytes(), "three tensors of 24 numbers");
      }
      assertEquals(List.of(), backend.takeKernelTimes(), "they were taken");
    }
  }

  @Test
  void aProductBringsItsOwnCost() {
    TimedDevice clock = new TimedDevice(EmulatedDevice.open());
    Cuda.ProductsFactory products =
        cuda -> new TimedProducts(new TiledProducts(cuda), clock);
    try (Backend backend =
            TimedBackend.of(new CudaBackend(new Cuda(clock, DType.F32, products)), clock);
        Scope scope = backend.openScope("test")) {
      Tensor weight = Tensor.of(Shape.of(16, 8), new double[128]);
      FrozenLinear head = backend.freezeLinear(weight, null, false, scope);
      Tensor x = scope.allocate(DType.F32, 5, 8);
      Tensor z = scope.allocate(DType.F32, 5, 16);
      backend.upload(Tensor.of(x.shape(), new double[40]), x);
      backend.takeKernelTimes();
      backend.run(new LossKernels.Logits(head, x, z));
      List<KernelTime> times = backend.takeKernelTimes();
      assertEquals(2, times.size(), times.toString());
      for (KernelTime time : times) {
        assertEquals(2.0 * 5 * 8 * 16, time.cost().flops(), time.kernel());
        assertEquals(4.0 * (5 * 8 + 8 * 16 + 5 * 16), time.cost().bytes(), time.kernel());
      }
    }
  }
}
