package dev.lethe.backend.cpu;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendContractTest;
import dev.lethe.backend.BackendOptions;
import dev.lethe.tensor.DType;

/** The CPU backend with products in bfloat16 against the reference. */
final class Bf16CpuBackendTest extends BackendContractTest {
  @Override
  protected Backend open() {
    NativeProducts.Found found = NativeProducts.found();
    assumeTrue(
        found.products() != null, "products in bfloat16 were NOT tested: " + found.reason());
    return new CpuBackend(Primitives.best(), new BackendOptions(2, DType.BF16, -1));
  }
}
