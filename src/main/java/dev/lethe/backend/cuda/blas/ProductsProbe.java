package dev.lethe.backend.cuda.blas;

import dev.lethe.Text;
import dev.lethe.backend.cuda.driver.Device;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;

/**
 * Small products of small whole numbers, which come out exact in every format, to find a library that loads
 * and does not work.
 */
final class ProductsProbe {
  private static final int M = 16;
  private static final int N = 24;
  private static final int K = 32;

  private ProductsProbe() {}

  /** Closes the products and throws where they do not work. */
  static void require(Device device, LibraryProducts products) {
    try {
      for (DType type : List.of(DType.F32, DType.BF16)) {
        for (boolean transposed : new boolean[] {false, true}) {
          require(device, products, type, transposed);
        }
      }
    } catch (CublasFailure e) {
      products.close();
      throw e;
    }
  }

  /** A (M,K) times B (K,N), or times the transpose of B stored as (N,K). */
  private static void require(
      Device device, LibraryProducts products, DType type, boolean transposed) {
    double[] a = numbers(M * K, 5);
    double[] b = numbers(K * N, 7);
    long left = upload(device, a, type);
    long right = upload(device, b, type);
    double[] nothing = new double[M * N];
    Arrays.fill(nothing, Double.NaN);
    long result = upload(device, nothing, DType.F32);
    try {
      Operand stored = Operand.of(right, type, transposed ? K : N);
      products.queue(
          Product.of(
              M,
              N,
              K,
              1,
              Operand.of(left, type, K),
              transposed ? stored.transpose() : stored,
              Operand.of(result, DType.F32, N)));
      Tensor got = host(M * N, DType.F32);
      device.download(result, got.segment());
      requireEqual(product(a, b, transposed), got.toDoubles(), type);
    } finally {
      device.free(left);
      device.free(right);
      device.free(result);
    }
  }

  private static void requireEqual(double[] expected, double[] got, DType type) {
    for (int i = 0; i < expected.length; i++) {
      if (got[i] != expected[i]) {
        throw new CublasFailure(
            Text.format(
                "a small product of %s comes out wrong: %s instead of %s",
                type, got[i], expected[i]));
      }
    }
  }

  private static double[] product(double[] a, double[] b, boolean transposed) {
    double[] c = new double[M * N];
    for (int i = 0; i < M; i++) {
      for (int j = 0; j < N; j++) {
        for (int d = 0; d < K; d++) {
          c[i * N + j] += a[i * K + d] * (transposed ? b[j * K + d] : b[d * N + j]);
        }
      }
    }
    return c;
  }

  /** Whole numbers from -period/2 to period/2. */
  private static double[] numbers(int count, int period) {
    double[] values = new double[count];
    Arrays.setAll(values, i -> i * i % period - period / 2);
    return values;
  }

  private static long upload(Device device, double[] values, DType type) {
    Tensor host = host(values.length, type);
    host.copyFrom(Tensor.of(Shape.of(values.length), values));
    long address = device.allocate(host.segment().byteSize());
    device.upload(host.segment(), address);
    return address;
  }

  private static Tensor host(int count, DType type) {
    return Tensor.view(
        MemorySegment.ofArray(new byte[count * type.bytes()]), type, Shape.of(count));
  }
}
