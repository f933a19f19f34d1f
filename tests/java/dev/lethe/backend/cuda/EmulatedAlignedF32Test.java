package dev.lethe.backend.cuda;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendContractTest;
import dev.lethe.tensor.DType;

/** As {@link EmulatedF32Test}, on buffers that begin at multiples of 16 bytes: kernels take 16 at a time. */
final class EmulatedAlignedF32Test extends BackendContractTest {
  @Override
  protected Backend open() {
    return EmulatedBackends.open(DType.F32);
  }

  @Override
  protected int guardElements() {
    return 64;
  }
}
