package dev.lethe.backend.cpu.rows;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.primitive.Primitives;
import dev.lethe.backend.kernel.SketchKernels;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** How rows are cut into blocks changes no byte of a product. */
final class CpuSketchTest {
  private static final int ROWS = 23;
  private static final int WIDTH = 5003;
  private static final int K = 2;

  @Test
  void blocksOfRowsChangeNothing() {
    try (Cpu cpu = new Cpu(Primitives.best(), 2);
        Scope scope = Scope.open("sketch", cpu.allocator())) {
      for (DType type : new DType[] {DType.BF16, DType.F32}) {
        Tensor rows = normals(scope, type, ROWS, WIDTH);
        Tensor v = normals(scope, DType.F32, K, WIDTH);
        double[] inTwoPasses = product(new CpuSketch(cpu, 0), rows, v, scope);
        for (long block : new long[] {4, 8, 20, 24, 1000}) {
          CpuSketch sketch = new CpuSketch(cpu, block * WIDTH * type.bytes());
          assertArrayEquals(
              inTwoPasses, product(sketch, rows, v, scope), type + ", blocks of " + block);
        }
      }
    }
  }

  private static double[] product(SketchKernels sketch, Tensor rows, Tensor v, Scope scope) {
    Tensor out = scope.allocate(DType.F32, K, WIDTH);
    out.copyFrom(v);
    sketch.addProduct(new SketchKernels.AddProduct(rows, v, 0.1, out));
    return out.toDoubles();
  }

  private static Tensor normals(Scope scope, DType type, long... dims) {
    Random random = new Random(5);
    Tensor tensor = scope.allocate(type, dims);
    for (long i = 0; i < tensor.elements(); i++) {
      tensor.set(i, random.nextGaussian());
    }
    return tensor;
  }
}
