package dev.lethe.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.ArgumentException;
import dev.lethe.backend.cuda.gemm.TiledProducts;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.kernel.LoraKernels;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import org.junit.jupiter.api.Test;

/** What would have kernels read beyond a tensor is refused before anything is launched. */
final class CudaLoraTest {
  private static final LoraSlot SLOT = new LoraSlot(4, 3, 2, 1, 0, 8);

  @Test
  void parametersTooShortForTheSlotAreRefused() {
    assertRefused("lora.forward: theta", SLOT, SLOT.parameters() - 1);
  }

  @Test
  void anAdapterOfAnotherWidthIsRefused() {
    assertRefused("lora.forward: slot", new LoraSlot(5, 3, 2, 1, 0, 10), 100);
  }

  private static void assertRefused(String what, LoraSlot slot, long parameters) {
    Cuda cuda = new Cuda(EmulatedDevice.open(), DType.F32, TiledProducts::new);
    try (CudaBackend backend = new CudaBackend(cuda);
        Scope scope = backend.openScope("test")) {
      Tensor weight = Tensor.of(Shape.of(3, 4), new double[12]);
      LoraLinear layer =
          new LoraLinear(backend.freezeLinear(weight, null, false, scope), slot);
      Tensor theta = scope.allocate(DType.F32, parameters);
      Tensor x = scope.allocate(DType.F32, 5, 4);
      Tensor u = scope.allocate(DType.F32, 5, 2);
      Tensor y = scope.allocate(DType.F32, 5, 3);
      ArgumentException e =
          assertThrows(
              ArgumentException.class,
              () -> backend.run(new LoraKernels.Forward(layer, theta, x, x, u, y)));
      assertTrue(e.getMessage().startsWith(what), e.getMessage());
    }
  }
}
