package dev.lethe.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.lethe.ArgumentException;
import dev.lethe.backend.cuda.blas.Operand;
import dev.lethe.backend.cuda.blas.Product;
import dev.lethe.backend.cuda.gemm.TiledProducts;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.tensor.DType;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** Lethe's own matrix products, emulated: all layouts, types and sizes. */
final class TiledProductsTest {
  private static final long SEED = 20_261_125;

  @TestFactory
  Stream<DynamicTest> productsAgreeWithLoops() {
    return tests(EmulatedDevice::open);
  }

  @Test
  void twoTransposesAreRefused() {
    Operand stored = Operand.of(256, DType.F32, 4);
    Operand transpose = stored.transpose();
    assertThrows(ArgumentException.class, () -> Product.of(4, 4, 4, 1, transpose, transpose, stored));
  }

  /** A test of every case, on a new device each. */
  static Stream<DynamicTest> tests(Supplier<EmulatedDevice> device) {
    return cases().stream()
        .map(c -> DynamicTest.dynamicTest(c + " seed " + SEED, () -> run(c, device.get())));
  }

  /** Every size in every layout, type and alignment; beta and the second term take turns. */
  static List<ProductsCheck.Case> cases() {
    List<ProductsCheck.Case> cases = new ArrayList<>();
    for (int[] size : ProductsCheck.SIZES) {
      for (int i = 0; i < 18; i++) {
        DType type = i % 3 == 0 ? DType.F32 : DType.BF16;
        DType result = i % 3 == 2 ? DType.BF16 : DType.F32;
        int layout = i / 3 % 3;
        double beta = (i + size[0]) % 3 == 0 ? 0 : (i + size[0]) % 3 == 1 ? 1 : -0.5;
        int depth2 = (i + size[1]) % 2 == 0 ? 0 : 5 + i;
        cases.add(
            new ProductsCheck.Case(
                size[0], size[1], size[2], size[3], type, result, layout == 1, layout == 2,
                beta, depth2, i < 9));
      }
    }
    return cases;
  }

  private static void run(ProductsCheck.Case c, EmulatedDevice device) {
    try (Cuda cuda = new Cuda(device, c.type(), TiledProducts::new);
        ProductsCheck check = new ProductsCheck(cuda.device(), cuda.products(), SEED)) {
      check.run(c);
    }
  }
}
