package dev.lethe.backend.cuda;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendContractTest;
import dev.lethe.tensor.DType;

/** As {@link EmulatedBf16Test}, on buffers that begin at multiples of 16 bytes: kernels take 16 at a time. */
final class EmulatedAlignedBf16Test extends BackendContractTest {
  @Override
  protected Backend open() {
    return EmulatedBackends.open(DType.BF16);
  }

  @Override
  protected int guardElements() {
    return 64;
  }
}
