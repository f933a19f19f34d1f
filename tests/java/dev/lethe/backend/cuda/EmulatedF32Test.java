package dev.lethe.backend.cuda;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendContractTest;
import dev.lethe.tensor.DType;

/** The CUDA backend with float32 activations, its kernels emulated, against the reference. */
final class EmulatedF32Test extends BackendContractTest {
  @Override
  protected Backend open() {
    return EmulatedBackends.open(DType.F32);
  }
}
