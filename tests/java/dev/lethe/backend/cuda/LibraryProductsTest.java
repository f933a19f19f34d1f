package dev.lethe.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.cuda.blas.FakeCublas;
import dev.lethe.backend.cuda.blas.ProductsLadder;
import dev.lethe.backend.cuda.gemm.TiledProducts;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Products through each binding, the stand-ins for NVIDIA's libraries beneath: the cases of Lethe's own
 * products, and those that a library cannot do go to these.
 */
final class LibraryProductsTest {
  private static final long SEED = 20_261_126;

  private final String before = System.getProperty(ProductsLadder.PROPERTY, "tiled");
  private FakeCublas lt;
  private FakeCublas blas;

  @BeforeEach
  void useTheStandIns() {
    System.setProperty("lethe.cublas", FakeCublas.FOLDER.toString());
    System.setProperty("lethe.products.tune", "false");
    lt = FakeCublas.lt("version=130101");
    blas = FakeCublas.blas("version=130102");
  }

  @AfterEach
  void forget() {
    System.clearProperty("lethe.cublas");
    System.clearProperty("lethe.products.tune");
    System.setProperty(ProductsLadder.PROPERTY, before);
  }

  @Test
  void cublasLt() {
    assertEquals("cuBLASLt 13.1.1", run("cublaslt"));
    assertTrue(lt.count("matmuls") > 500, "it was used");
    assertEquals(0, lt.count("live"), "everything made was destroyed");
  }

  @Test
  void cublasLtThatWantsAlignedOperands() {
    lt.configure("version=130101 least_alignment=16");
    assertEquals("cuBLASLt 13.1.1", run("cublaslt"));
  }

  @Test
  void cublas() {
    assertEquals("cuBLAS 13.1.2", run("cublas"));
    assertTrue(blas.count("matmuls") > 500, "it was used");
    assertEquals(0, blas.count("live"), "everything made was destroyed");
  }

  /** JCublas is linked to version 12, so this also runs the forwarding library. */
  @Test
  void jcublas() {
    assertEquals("JCublas with cuBLAS 13.1.2", run("jcublas"));
    assertTrue(blas.count("matmuls") > 500, "it was used");
    assertEquals(0, blas.count("live"), "everything made was destroyed");
  }

  /** Runs all cases and returns the description's beginning. */
  private static String run(String way) {
    System.setProperty(ProductsLadder.PROPERTY, way);
    List<String> failures = new ArrayList<>();
    String description;
    try (Cuda cuda =
        new Cuda(
            EmulatedDevice.open(),
            DType.F32,
            c -> ProductsLadder.open(c.device(), new TiledProducts(c)).best())) {
      description = cuda.products().description();
      for (ProductsCheck.Case each : TiledProductsTest.cases()) {
        try (ProductsCheck check = new ProductsCheck(cuda.device(), cuda.products(), SEED)) {
          check.run(each);
        } catch (AssertionError | RuntimeException e) {
          failures.add(each + ": " + e);
        }
      }
    }
    assertTrue(failures.isEmpty(), () -> failures.size() + " failed: " + failures);
    return description.replaceFirst(" \\(.*", "");
  }
}
