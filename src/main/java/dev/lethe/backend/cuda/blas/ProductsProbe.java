package dev.lethe.backend.cuda.blas;

import dev.lethe.Text;
import dev.lethe.backend.cuda.driver.Device;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Small products of small whole numbers, which come out exact in every format, to find a library that loads
 * and does not work: of each kind that a pass needs, so that none is tried first in the middle of one.
 */
final class ProductsProbe {
  private static final int M = 16;
  private static final int N = 24;
  private static final int K = 32;

  private ProductsProbe() {}

  /**
   * A product (M,k) by (k,N), or by the transpose of what is stored as (N,k).
   *
   * @param name for messages
   * @param batch of factors B; A is one for all
   * @param beta C holds whole numbers before and is added to; 0: it holds NaN and is overwritten
   * @param shift elements by which A and B begin beside a multiple of 256 bytes
   */
  private record Probe(
      String name, DType type, DType result, boolean transposed, int k, int batch, int beta, int shift) {}

  private static List<Probe> probes() {
    List<Probe> probes = new ArrayList<>();
    for (DType type : List.of(DType.F32, DType.BF16)) {
      for (boolean transposed : new boolean[] {false, true}) {
        probes.add(new Probe("", type, DType.F32, transposed, K, 1, 0, 0));
        probes.add(new Probe(", a factor shared by a batch", type, DType.F32, transposed, K, 3, 0, 0));
        probes.add(new Probe(", of depth 16", type, DType.F32, transposed, K / 2, 1, 0, 0));
        probes.add(new Probe(", added to C", type, DType.F32, transposed, K, 1, 1, 0));
        probes.add(new Probe(", of operands between multiples of 16 bytes", type, DType.F32, transposed, K, 1, 0, 1));
        probes.add(new Probe(" into as much, added to C", type, type, transposed, K, 2, 1, 0));
      }
    }
    return probes;
  }

  /** Closes the products and throws where they do not work. */
  static void require(Device device, LibraryProducts products) {
    try {
      for (Probe probe : probes()) {
        require(device, products, probe);
      }
    } catch (CublasFailure e) {
      products.close();
      throw e;
    }
  }

  private static void require(Device device, LibraryProducts products, Probe probe) {
    double[] a = numbers(probe.shift + M * probe.k, 5);
    double[] b = numbers(probe.shift + probe.batch * probe.k * N, 7);
    double[] c = numbers(probe.batch * M * N, 9);
    double[] before = c.clone();
    if (probe.beta == 0) {
      Arrays.fill(before, Double.NaN);
    }
    long left = upload(device, a, probe.type);
    long right = upload(device, b, probe.type);
    long result = upload(device, before, probe.result);
    try {
      long shift = (long) probe.shift * probe.type.bytes();
      Operand stored =
          Operand.of(right + shift, probe.type, probe.transposed ? probe.k : N).every((long) probe.k * N);
      Product product =
          Product.of(
                  M,
                  N,
                  probe.k,
                  1,
                  Operand.of(left + shift, probe.type, probe.k),
                  probe.transposed ? stored.transpose() : stored,
                  Operand.of(result, probe.result, N).every((long) M * N))
              .batch(probe.batch);
      products.queue(probe.beta == 0 ? product : product.added());
      Tensor got = host(before.length, probe.result);
      device.download(result, got.segment());
      requireEqual(expected(probe, a, b, c), got.toDoubles(), probe);
    } finally {
      device.free(left);
      device.free(right);
      device.free(result);
    }
  }

  private static void requireEqual(double[] expected, double[] got, Probe probe) {
    for (int i = 0; i < expected.length; i++) {
      if (got[i] != expected[i]) {
        throw new CublasFailure(
            Text.format(
                "a small product of %s%s comes out wrong: %s instead of %s",
                probe.type, probe.name, got[i], expected[i]));
      }
    }
  }

  private static double[] expected(Probe probe, double[] a, double[] b, double[] c) {
    double[] sums = new double[c.length];
    for (int at = 0; at < sums.length; at++) {
      int i = at / N % M;
      int j = at % N;
      int entry = probe.shift + at / (M * N) * probe.k * N;
      sums[at] = probe.beta * c[at];
      for (int d = 0; d < probe.k; d++) {
        double right = b[entry + (probe.transposed ? j * probe.k + d : d * N + j)];
        sums[at] += a[probe.shift + i * probe.k + d] * right;
      }
    }
    return sums;
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
