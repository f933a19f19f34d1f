package dev.lethe.backend.cpu.rows;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.gemm.Gemm;
import dev.lethe.backend.cpu.gemm.Matrix;
import dev.lethe.backend.cpu.gemm.Panels;
import dev.lethe.backend.cpu.gemm.Scratch.Slot;
import dev.lethe.backend.cpu.primitive.RecordPrimitives;
import dev.lethe.backend.kernel.SketchKernels;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * Products with a sketch. A product with few directions takes rows in blocks that stay in the cache from their dots to
 * their addition; only rows so long that few of them fit are read twice. Many directions are multiplied as matrices,
 * with the rows as the frozen factor.
 */
public final class CpuSketch implements SketchKernels {
  /** Bytes of a block of rows: with v and the result beside it, what a share of the last-level cache holds. */
  private static final long BLOCK = 1 << 22;

  private static final int MOST_ROWS = 32;

  /** More directions than this, and their results, would drive a block out of the cache. */
  private static final int MOST_DIRECTIONS = 4;

  /** From so many directions on it pays to lay the rows out as panels. */
  private static final int MATRIX = 49;

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
    int k = (int) call.v().dim(0);
    if (asMatrices(call.rows(), k)) {
      dots(call.rows(), call.v(), Cpu.memory(call.dots()));
    } else {
      rows(call.rows()).dots(Cpu.memory(call.v()), k, Cpu.memory(call.dots()));
    }
  }

  @Override
  public void addCombination(AddCombination call) {
    addCombination(call.rows(), Cpu.memory(call.weights()), call.scale(), call.out());
  }

  @Override
  public void addProduct(AddProduct call) {
    int k = (int) call.v().dim(0);
    if (asMatrices(call.rows(), k)) {
      MemorySegment dots = cpu.pool().callersScratch().floats(Slot.DOTS, k * call.rows().dim(0));
      dots(call.rows(), call.v(), dots);
      addCombination(call.rows(), dots, call.scale(), call.out());
      return;
    }
    SketchRows sketch = rows(call.rows());
    long fitting = blockBytes / Math.max(1, call.rows().dim(1) * call.rows().dtype().bytes());
    int block = (int) Math.min(MOST_ROWS, fitting / RecordPrimitives.ROWS * RecordPrimitives.ROWS);
    if (k > MOST_DIRECTIONS) {
      block = 0;
    }
    sketch.addProduct(Cpu.memory(call.v()), k, call.scale(), Cpu.memory(call.out()), block);
  }

  private static boolean asMatrices(Tensor rows, int k) {
    return k >= MATRIX && rows.dim(0) > 0;
  }

  /** dots = V·Fᵀ. */
  private void dots(Tensor rows, Tensor v, MemorySegment dots) {
    Gemm gemm = cpu.gemm();
    Matrix left = Matrix.rows(Cpu.memory(v), v.dim(1));
    Matrix out = Matrix.rows(dots, rows.dim(0));
    gemm.run((int) v.dim(0), out, gemm.zero(), new Gemm.Term(left, Panels.stored(cpu, DType.F32, rows, false)));
  }

  private void addCombination(Tensor rows, MemorySegment weights, double scale, Tensor out) {
    int k = (int) out.dim(0);
    int n = Math.toIntExact(rows.dim(0));
    if (!asMatrices(rows, k)) {
      rows(rows).combine(weights, k, scale, Cpu.memory(out));
      return;
    }
    MemorySegment scaled = cpu.pool().callersScratch().floats(Slot.STRIP, (long) k * n);
    for (long row = 0; row < k; row++) {
      cpu.rows().scale((float) scale, weights, 4 * row * n, scaled, 4 * row * n, n);
    }
    Matrix sum = Matrix.rows(Cpu.memory(out), out.dim(1));
    cpu.gemm().run(k, sum, sum, new Gemm.Term(Matrix.rows(scaled, n), Panels.stored(cpu, DType.F32, rows, true)));
  }

  private SketchRows rows(Tensor rows) {
    return new SketchRows(
        cpu, Cpu.memory(rows), rows.dtype(), Math.toIntExact(rows.dim(0)), rows.dim(1));
  }
}
