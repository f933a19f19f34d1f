package dev.lethe.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.cuda.blas.Operand;
import dev.lethe.backend.cuda.blas.Product;
import dev.lethe.backend.cuda.blas.Products;
import dev.lethe.backend.cuda.driver.Device;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Products of random matrices against a loop in double; shared by all ways to make them. */
final class ProductsCheck implements AutoCloseable {
  /** m, n, k, batch. */
  static final int[][] SIZES = {
    {1, 1, 1, 1}, {3, 5, 7, 2}, {16, 8, 32, 1}, {65, 33, 70, 1}, {64, 64, 64, 3}, {130, 20, 40, 1},
    {5, 200, 17, 1}, {8, 9, 900, 1}, {150, 140, 24, 1}, {17, 130, 520, 1}, {140, 24, 520, 2},
    {8, 24, 520, 2},
    {2, 3, 0, 1}, {0, 4, 5, 1}
  };

  private final Device device;
  private final Products products;
  private final Random random;
  private final List<Long> memory = new ArrayList<>();

  ProductsCheck(Device device, Products products, long seed) {
    this.device = device;
    this.products = products;
    this.random = new Random(seed);
  }

  /** Which product of which matrices. */
  record Case(
      int m, int n, int k, int batch, DType type, DType result, boolean at, boolean bt,
      double beta, int depth2, boolean aligned) {
    /** Elements around every matrix that are not its own. */
    int guard() {
      return aligned ? 16 : 9;
    }
  }

  /** A batch of matrices on the device, with spare columns, and its numbers here. */
  private record Matrices(int rows, int columns, int stride, Operand operand, double[] values) {
    double at(int entry, int row, int column) {
      int size = rows * stride;
      int index = operand.transposed() ? column * stride + row : row * stride + column;
      return values[(operand.batchStride() == 0 ? 0 : entry) * size + index];
    }
  }

  /** Makes the product twice and compares every element, and what lies around C. */
  void run(Case c) {
    Matrices a = input(c, c.at ? c.k : c.m, c.at ? c.m : c.k, c.at, true);
    Matrices b = input(c, c.bt ? c.n : c.k, c.bt ? c.k : c.n, c.bt, c.batch == 1 || c.m % 2 == 1);
    Matrices a2 = input(c, c.at ? c.depth2 : c.m, c.at ? c.m : c.depth2, c.at, true);
    Matrices b2 = input(c, c.bt ? c.n : c.depth2, c.bt ? c.depth2 : c.n, c.bt, true);
    int stride = c.aligned ? (c.n + 4) / 2 * 2 : c.n + 3;
    double[] old = new double[2 * c.guard() + c.batch * c.m * stride];
    Arrays.setAll(old, i -> c.beta == 0 ? Double.NaN : round(random.nextGaussian(), c.result));
    long address = upload(old, c.result);
    Operand result =
        Operand.of(address + (long) c.guard() * c.result.bytes(), c.result, stride)
            .every((long) c.m * stride);
    Product product =
        new Product(c.m, c.n, c.k, 0.7, a.operand, b.operand, null, c.beta, result, c.batch);
    if (c.depth2 > 0) {
      product = product.plus(c.depth2, a2.operand, b2.operand);
    }
    products.multiply(product);
    double[] first = download(address, old.length, c.result);
    rewrite(address, old, c.result);
    products.multiply(product);
    assertArrayEquals(first, download(address, old.length, c.result), c + ": other bytes");
    compare(c, old, stride, first, a, b, a2, b2);
  }

  private void compare(
      Case c, double[] old, int stride, double[] got, Matrices a, Matrices b, Matrices a2,
      Matrices b2) {
    double bound = c.type == DType.F32 ? 2e-6 : c.result == DType.F32 ? 2e-6 : 6e-3;
    boolean[] written = new boolean[old.length];
    for (int e = 0; e < c.batch; e++) {
      for (int i = 0; i < c.m; i++) {
        for (int j = 0; j < c.n; j++) {
          int at = c.guard() + (e * c.m + i) * stride + j;
          double sum = 0;
          double size = 1e-30;
          for (int d = 0; d < c.k + c.depth2; d++) {
            double term =
                d < c.k
                    ? a.at(e, i, d) * b.at(e, d, j)
                    : a2.at(e, i, d - c.k) * b2.at(e, d - c.k, j);
            sum += term;
            size += Math.abs(term);
          }
          double expected = 0.7 * sum + (c.beta == 0 ? 0 : c.beta * old[at]);
          double allowed = bound * (size + Math.abs(c.beta == 0 ? 0 : old[at]));
          written[at] = true;
          assertTrue(
              Math.abs(got[at] - expected) <= allowed,
              () -> c + ": expected " + expected + ", got " + got[at]);
        }
      }
    }
    for (int i = 0; i < old.length; i++) {
      int place = i;
      assertTrue(
          written[i] || Double.compare(old[i], got[i]) == 0,
          () -> c + ": written outside at " + place);
    }
  }

  private Matrices input(Case c, int rows, int columns, boolean transposed, boolean batched) {
    int stride = c.aligned ? (columns + 15) / 8 * 8 : columns + 1;
    int guard = c.guard();
    int size = rows * stride;
    double[] values = new double[c.batch * size];
    Arrays.setAll(values, i -> round(random.nextGaussian(), c.type));
    for (int i = 0; i < values.length; i++) {
      values[i] = i % stride < columns ? values[i] : Double.NaN;
    }
    double[] guarded = new double[values.length + 2 * guard];
    Arrays.fill(guarded, Double.NaN);
    System.arraycopy(values, 0, guarded, guard, values.length);
    long address = upload(guarded, c.type) + (long) guard * c.type.bytes();
    Operand stored = Operand.of(address, c.type, stride).every(batched ? size : 0);
    return new Matrices(rows, stride, stride, transposed ? stored.transpose() : stored, values);
  }

  private static double round(double value, DType type) {
    return type == DType.F32 ? (float) value : DType.bf16ToFloat(DType.floatToBf16((float) value));
  }

  private long upload(double[] values, DType type) {
    long address = device.allocate(Math.max(1, (long) values.length * type.bytes()));
    memory.add(address);
    rewrite(address, values, type);
    return address;
  }

  private void rewrite(long address, double[] values, DType type) {
    Tensor host = host(values.length, type);
    host.copyFrom(Tensor.of(Shape.of(values.length), values));
    device.upload(host.segment(), address);
  }

  private double[] download(long address, int length, DType type) {
    Tensor host = host(length, type);
    device.download(address, host.segment());
    return host.toDoubles();
  }

  private static Tensor host(int length, DType type) {
    MemorySegment bytes = MemorySegment.ofArray(new byte[length * type.bytes()]);
    return Tensor.view(bytes, type, Shape.of(length));
  }

  @Override
  public void close() {
    memory.forEach(device::free);
  }
}
