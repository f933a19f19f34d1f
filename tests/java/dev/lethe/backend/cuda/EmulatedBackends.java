package dev.lethe.backend.cuda;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.DType;

/** The CUDA backend on the emulator, for tests of the layers above. */
public final class EmulatedBackends {
  private EmulatedBackends() {}

  /** With activations in F32 or BF16; skips the test where the emulator was not built. */
  public static Backend open(DType type) {
    return new CudaBackend(new Cuda(EmulatedDevice.open(), type, TiledProducts::new));
  }
}
