package dev.lethe.backend.cpu;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendContractTest;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.cpu.primitive.Primitives;

/** The CPU backend against the reference, with what this virtual machine offers. */
final class CpuBackendTest extends BackendContractTest {
  @Override
  protected Backend open() {
    return new CpuBackend(Primitives.best(), new BackendOptions(2));
  }
}
