package dev.lethe.backend.cuda;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendContractTest;
import dev.lethe.tensor.DType;

/** As {@link EmulatedF32Test}, with buffers that kernels can read 16 bytes at a time. */
final class EmulatedF32AlignedTest extends BackendContractTest {
  @Override
  protected Backend open() {
    return EmulatedBackends.open(DType.F32);
  }

  @Override
  protected int guardElements() {
    return 64;
  }
}
