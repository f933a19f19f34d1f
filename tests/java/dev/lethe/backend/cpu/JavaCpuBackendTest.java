package dev.lethe.backend.cpu;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendContractTest;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.cpu.primitive.Primitives;

/** The CPU backend without native code against the reference. */
final class JavaCpuBackendTest extends BackendContractTest {
  @Override
  protected Backend open() {
    return new CpuBackend(Primitives.bestInJava(), new BackendOptions(2));
  }
}
