package dev.lethe.backend.cuda;

import dev.lethe.backend.Backend;
import dev.lethe.backend.cuda.gemm.TiledProducts;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.tensor.DType;

/** The CUDA backend on the emulator, for tests of the layers above. */
public final class EmulatedBackends {
  private EmulatedBackends() {}

  /** With activations in F32 or BF16; skips the test where the emulator was not built. */
  public static Backend open(DType type) {
    return on(EmulatedDevice.open(), type);
  }

  /** The same with dense tensors and one layer at a time. */
  public static Backend openApart(DType type) {
    return new ApartBackend(open(type));
  }

  /** The same on this device, which is closed with it. */
  static Backend on(EmulatedDevice device, DType type) {
    return new CudaBackend(new Cuda(device, type, TiledProducts::new));
  }
}
