package dev.lethe.backend.cuda;

import dev.lethe.backend.contract.Contract;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.backend.cuda.blas.FakeCublas;
import dev.lethe.backend.cuda.blas.ProductsLadder;
import dev.lethe.backend.cuda.gemm.TiledProducts;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.tensor.DType;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * The LoRA layer's contract with products by cuBLASLt's stand-in, where a low-rank term is rounded to bfloat16 before
 * the frozen product is added to it: the tolerances, which are selftest's too, have room for that.
 */
final class LibraryLoraTest {
  private final String before = System.getProperty(ProductsLadder.PROPERTY, "tiled");
  private CudaBackend backend;
  private KernelBench bench;

  @BeforeEach
  void open() {
    FakeCublas.lt("version=130101");
    System.setProperty("lethe.cublas", FakeCublas.FOLDER.toString());
    System.setProperty("lethe.products.tune", "false");
    System.setProperty(ProductsLadder.PROPERTY, "cublaslt");
    backend =
        new CudaBackend(
            new Cuda(
                EmulatedDevice.open(),
                DType.BF16,
                cuda -> ProductsLadder.open(cuda.device(), new TiledProducts(cuda)).best()));
    bench = new KernelBench(backend, 64);
  }

  @AfterEach
  void close() {
    if (backend != null) {
      bench.close();
      backend.close();
    }
    System.clearProperty("lethe.cublas");
    System.clearProperty("lethe.products.tune");
    System.setProperty(ProductsLadder.PROPERTY, before);
  }

  @TestFactory
  Stream<DynamicTest> theLayer() {
    return Contract.all().get("lora").apply(bench).map(c -> DynamicTest.dynamicTest(c.name(), c::run));
  }
}
