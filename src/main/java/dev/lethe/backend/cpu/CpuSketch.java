package dev.lethe.backend.cpu;

import static dev.lethe.tensor.DType.BF16;
import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.Require;
import dev.lethe.backend.SketchKernels;
import dev.lethe.tensor.Tensor;

/**
 * Products with a sketch. A product takes rows in blocks that stay in the cache from their dots to their
 * addition; only rows so long that few of them fit are read twice.
 */
final class CpuSketch implements SketchKernels {
  /** Bytes of a block of rows: with v and the result beside it, what the second-level caches hold. */
  private static final long BLOCK = 1 << 20;

  private static final int MOST_ROWS = 32;

  /** More directions than this, and their results, would drive a block out of the cache. */
  private static final int MOST_DIRECTIONS = 4;

  private final Cpu cpu;
  private final long blockBytes;

  CpuSketch(Cpu cpu) {
    this(cpu, BLOCK);
  }

  /**
   * @param blockBytes that a block of rows may have
   */
  CpuSketch(Cpu cpu, long blockBytes) {
    this.cpu = cpu;
    this.blockBytes = blockBytes;
  }

  @Override
  public void dots(Tensor rows, Tensor v, Tensor dots) {
    SketchRows sketch = rows("sketch.dots", rows);
    Require.rank("sketch.dots: v", v, 2);
    Require.tensor("sketch.dots: v", v, F32, v.dim(0), rows.dim(1));
    Require.tensor("sketch.dots: dots", dots, F32, v.dim(0), rows.dim(0));
    sketch.dots(Cpu.memory(v), (int) v.dim(0), Cpu.memory(dots));
  }

  @Override
  public void addCombination(Tensor weights, double scale, Tensor rows, Tensor out) {
    SketchRows sketch = rows("sketch.addCombination", rows);
    Require.rank("sketch.addCombination: weights", weights, 2);
    int k = (int) weights.dim(0);
    Require.tensor("sketch.addCombination: weights", weights, F32, k, rows.dim(0));
    Require.tensor("sketch.addCombination: out", out, F32, k, rows.dim(1));
    sketch.combine(Cpu.memory(weights), k, scale, Cpu.memory(out));
  }

  @Override
  public void addProduct(Tensor rows, Tensor v, double scale, Tensor out) {
    SketchRows sketch = rows("sketch.addProduct", rows);
    Require.rank("sketch.addProduct: v", v, 2);
    int k = (int) v.dim(0);
    Require.tensor("sketch.addProduct: v", v, F32, k, rows.dim(1));
    Require.tensor("sketch.addProduct: out", out, F32, k, rows.dim(1));
    long fitting = blockBytes / Math.max(1, rows.dim(1) * rows.dtype().bytes());
    int block = (int) Math.min(MOST_ROWS, fitting / RecordPrimitives.ROWS * RecordPrimitives.ROWS);
    if (k > MOST_DIRECTIONS) {
      block = 0;
    }
    sketch.addProduct(Cpu.memory(v), k, scale, Cpu.memory(out), block);
  }

  private SketchRows rows(String operation, Tensor rows) {
    Require.rank(operation + ": rows", rows, 2);
    Require.that(
        rows.dtype() == BF16 || rows.dtype() == F32, operation + ": rows", "BF16 or F32", rows);
    return new SketchRows(
        cpu, Cpu.memory(rows), rows.dtype(), Math.toIntExact(rows.dim(0)), rows.dim(1));
  }
}
