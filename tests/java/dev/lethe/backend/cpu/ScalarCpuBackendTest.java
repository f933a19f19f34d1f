package dev.lethe.backend.cpu;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendContractTest;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.cpu.primitive.Primitives;

/** The CPU backend in plain Java against the reference. */
final class ScalarCpuBackendTest extends BackendContractTest {
  @Override
  protected Backend open() {
    return new CpuBackend(Primitives.scalar("scalar", null), new BackendOptions(1));
  }
}
