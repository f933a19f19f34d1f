package dev.lethe.backend.cpu;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendContractTest;
import dev.lethe.backend.cpu.gemm.Bf16Products;
import dev.lethe.backend.cpu.gemm.Bf16Products.Instructions;
import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.primitive.Primitives;
import org.junit.jupiter.api.Nested;

/** The CPU backend with products in bfloat16 against the reference, by all instructions of this machine. */
final class Bf16CpuBackendTest {
  @Nested
  final class ByAmx extends BackendContractTest {
    @Override
    protected Backend open() {
      return backend(Instructions.AMX);
    }
  }

  @Nested
  final class ByAvx512 extends BackendContractTest {
    @Override
    protected Backend open() {
      return backend(Instructions.AVX512);
    }
  }

  private static Backend backend(Instructions instructions) {
    Bf16Products products = Bf16Products.found().of(instructions);
    assumeTrue(products != null, "products by " + instructions + " were NOT tested: not here");
    return new CpuBackend(new Cpu(Primitives.best(), products, 2));
  }
}
