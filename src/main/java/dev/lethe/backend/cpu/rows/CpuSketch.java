package dev.lethe.backend.cpu.rows;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.primitive.RecordPrimitives;
import dev.lethe.backend.kernel.SketchKernels;
import dev.lethe.tensor.Tensor;

/**
 * Products with a sketch. A product takes rows in blocks that stay in the cache from their dots to their
 * addition; only rows so long that few of them fit are read twice.
 */
public final class CpuSketch implements SketchKernels {
  /** Bytes of a block of rows: with v and the result beside it, what the second-level caches hold. */
  private static final long BLOCK = 1 << 20;

  private static final int MOST_ROWS = 32;

  /** More directions than this, and their results, would drive a block out of the cache. */
  private static final int MOST_DIRECTIONS = 4;

  private final Cpu cpu;
  private final long blockBytes;

  public CpuSketch(Cpu cpu) {
    this(cpu, BLOCK);
  }

  /**
   * @param blockBytes that a block of rows may have
   */
  public CpuSketch(Cpu cpu, long blockBytes) {
    this.cpu = cpu;
    this.blockBytes = blockBytes;
  }

  @Override
  public void dots(Dots call) {
    SketchRows sketch = rows(call.rows());
    sketch.dots(Cpu.memory(call.v()), (int) call.v().dim(0), Cpu.memory(call.dots()));
  }

  @Override
  public void addCombination(AddCombination call) {
    SketchRows sketch = rows(call.rows());
    int k = (int) call.weights().dim(0);
    sketch.combine(Cpu.memory(call.weights()), k, call.scale(), Cpu.memory(call.out()));
  }

  @Override
  public void addProduct(AddProduct call) {
    SketchRows sketch = rows(call.rows());
    int k = (int) call.v().dim(0);
    long fitting = blockBytes / Math.max(1, call.rows().dim(1) * call.rows().dtype().bytes());
    int block = (int) Math.min(MOST_ROWS, fitting / RecordPrimitives.ROWS * RecordPrimitives.ROWS);
    if (k > MOST_DIRECTIONS) {
      block = 0;
    }
    sketch.addProduct(Cpu.memory(call.v()), k, call.scale(), Cpu.memory(call.out()), block);
  }

  private SketchRows rows(Tensor rows) {
    return new SketchRows(
        cpu, Cpu.memory(rows), rows.dtype(), Math.toIntExact(rows.dim(0)), rows.dim(1));
  }
}
