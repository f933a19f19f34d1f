package dev.lethe.backend.cuda;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendContractTest;
import dev.lethe.tensor.DType;

/** The CUDA backend with bfloat16 activations, its kernels emulated, against the reference. */
final class EmulatedBf16Test extends BackendContractTest {
  @Override
  protected Backend open() {
    return EmulatedBackends.open(DType.BF16);
  }
}
