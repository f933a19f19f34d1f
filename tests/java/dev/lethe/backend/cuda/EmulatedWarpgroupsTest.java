package dev.lethe.backend.cuda;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendContractTest;
import dev.lethe.tensor.DType;

/** Attention with the kernels of warpgroups, which take heads of 64 and 128 in aligned rows. */
final class EmulatedWarpgroupsTest extends BackendContractTest {
  @Override
  protected Backend open() {
    return EmulatedBackends.on(EmulatedDevice.openWithWarpgroups(), DType.BF16);
  }

  @Override
  protected int guardElements() {
    return 64;
  }

  @Override
  protected String groups() {
    return "attention";
  }

  @Override
  protected boolean runs(String name) {
    return name.contains("headSize=64,") || name.contains("headSize=128,");
  }
}
