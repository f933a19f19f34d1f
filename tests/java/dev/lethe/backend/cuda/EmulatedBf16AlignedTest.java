package dev.lethe.backend.cuda;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendContractTest;
import dev.lethe.tensor.DType;

/** As {@link EmulatedBf16Test}, with buffers that kernels can read 16 bytes at a time. */
final class EmulatedBf16AlignedTest extends BackendContractTest {
  @Override
  protected Backend open() {
    return EmulatedBackends.open(DType.BF16);
  }

  @Override
  protected int guardElements() {
    return 64;
  }
}
