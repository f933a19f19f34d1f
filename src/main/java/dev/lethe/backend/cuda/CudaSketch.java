package dev.lethe.backend.cuda;

import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.cuda.driver.Grid;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.kernel.SketchKernels;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/**
 * Products with a sketch by kernels/sketch.cu. How rows and columns are cut follows from the shapes alone, so
 * that sums do not depend on the device.
 */
final class CudaSketch implements SketchKernels {
  /** Rows, and directions, that go through a block together. */
  private static final int TOGETHER = 4;

  /** Columns of a block's dots. */
  private static final long COLUMNS = 16_384;

  /** Elements of a thread, about, and the threads that keep a large device busy. */
  private static final long PIECE = 8;

  private static final long ENOUGH_THREADS = 1 << 17;

  /** Rows of a part that has a sum of its own, at least. */
  private static final long LEAST_ROWS = 32;

  private static final long MOST_PARTS = 64;

  private final Cuda cuda;

  CudaSketch(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public void dots(Dots call) {
    Tensor rows = call.rows();
    long k = call.v().dim(0);
    long n = rows.dim(0);
    long width = rows.dim(1);
    if (call.dots().elements() == 0) {
      return;
    }
    long parts = Math.max(1, Math.ceilDiv(width, COLUMNS));
    try (Scope scratch = cuda.scratch("sketch dots")) {
      Tensor ofParts = scratch.allocate(DType.F64, parts, k, n);
      cuda.kernel("sketch_dots", rows.dtype())
          .with(rows).with(call.v()).with(ofParts).with(n).with(width).with(k).with(COLUMNS)
          .run(grid(Math.ceilDiv(n, TOGETHER), parts, k));
      cuda.plainKernel("sketch_join_dots")
          .with(ofParts).with(call.dots()).with(parts).with(k * n)
          .run(cuda.elements(k * n));
    }
  }

  @Override
  public void addCombination(AddCombination call) {
    Tensor rows = call.rows();
    long k = call.weights().dim(0);
    long n = rows.dim(0);
    long width = rows.dim(1);
    if (n == 0 || call.out().elements() == 0) {
      return;
    }
    long threads = Math.ceilDiv(width, PIECE);
    long wanted = Math.min(ENOUGH_THREADS / threads, n / LEAST_ROWS);
    long some = Math.ceilDiv(n, Math.clamp(wanted, 1, MOST_PARTS));
    long parts = Math.ceilDiv(n, some);
    try (Scope scratch = cuda.scratch("sketch combination")) {
      Tensor ofParts = parts == 1 ? null : scratch.allocate(F32, parts, k, width);
      cuda.kernel("sketch_combine", rows.dtype())
          .with(call.weights()).with((float) call.scale()).with(rows).with(call.out()).with(ofParts)
          .with(n).with(width).with(k).with(some)
          .run(grid(Math.ceilDiv(threads, Cuda.THREADS), parts, k));
      if (parts > 1) {
        cuda.plainKernel("sketch_join_rows")
            .with(ofParts).with(call.out()).with(parts).with(k * width)
            .run(cuda.elements(k * width));
      }
    }
  }

  @Override
  public void addProduct(AddProduct call) {
    Tensor rows = call.rows();
    try (Scope scratch = cuda.scratch("sketch product")) {
      Tensor dots = scratch.allocate(F32, call.v().dim(0), rows.dim(0));
      dots(new Dots(rows, call.v(), dots));
      addCombination(new AddCombination(dots, call.scale(), rows, call.out()));
    }
  }

  private static Grid grid(long blocks, long parts, long directions) {
    return new Grid(
        Math.toIntExact(blocks),
        Math.toIntExact(parts),
        Math.toIntExact(Math.ceilDiv(directions, TOGETHER)),
        Cuda.THREADS,
        0);
  }
}
