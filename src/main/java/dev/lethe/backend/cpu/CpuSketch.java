package dev.lethe.backend.cpu;

import static dev.lethe.tensor.DType.BF16;
import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.Require;
import dev.lethe.backend.SketchKernels;
import dev.lethe.backend.cpu.RecordPrimitives.Run;
import dev.lethe.backend.cpu.Scratch.Slot;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * Products with a sketch in strips of columns. A dot is a float sum for each strip, and those are added in double
 * in their order; rows are added to a result in their order. So results depend on nothing but the shapes.
 */
final class CpuSketch implements SketchKernels {
  /** Columns at a time. */
  static final int STRIP = 4096;

  private final Cpu cpu;

  CpuSketch(Cpu cpu) {
    this.cpu = cpu;
  }

  @Override
  public void dots(Tensor rows, Tensor v, Tensor dots) {
    Rows sketch = Rows.of("sketch.dots", rows);
    Require.rank("sketch.dots: v", v, 2);
    Require.tensor("sketch.dots: v", v, F32, v.dim(0), rows.dim(1));
    Require.tensor("sketch.dots: dots", dots, F32, v.dim(0), rows.dim(0));
    dots(sketch, Cpu.memory(v), (int) v.dim(0), Cpu.memory(dots));
  }

  private void dots(Rows sketch, MemorySegment v, int k, MemorySegment dots) {
    cpu.pool()
        .runRanges(
            sketch.count,
            Cpu.grain(sketch.width * k),
            (from, to, scratch) -> {
              MemorySegment copy = scratch.floats(Slot.STRIP, STRIP);
              double[] sums = new double[k];
              for (int i = from; i < to; i++) {
                java.util.Arrays.fill(sums, 0);
                for (long first = 0; first < sketch.width; first += STRIP) {
                  int n = (int) Math.min(STRIP, sketch.width - first);
                  Run row = sketch.strip(cpu, i, first, n, copy);
                  for (int j = 0; j < k; j++) {
                    long at = 4 * (j * sketch.width + first);
                    sums[j] += cpu.rows().dot(row.segment(), row.offset(), v, at, n);
                  }
                }
                for (int j = 0; j < k; j++) {
                  dots.set(Scratch.FLOAT, 4L * ((long) j * sketch.count + i), (float) sums[j]);
                }
              }
            });
  }

  @Override
  public void addCombination(Tensor weights, double scale, Tensor rows, Tensor out) {
    String what = "sketch.addCombination";
    Rows sketch = Rows.of(what, rows);
    Require.rank(what + ": weights", weights, 2);
    int k = (int) weights.dim(0);
    Require.tensor(what + ": weights", weights, F32, k, rows.dim(0));
    Require.tensor(what + ": out", out, F32, k, rows.dim(1));
    combine(sketch, Cpu.memory(weights), k, scale, Cpu.memory(out));
  }

  private void combine(
      Rows sketch, MemorySegment weights, int k, double scale, MemorySegment out) {
    int strips = Math.toIntExact(Math.ceilDiv(sketch.width, STRIP));
    cpu.pool()
        .run(
            strips,
            (strip, scratch) -> {
              MemorySegment copy = scratch.floats(Slot.STRIP, STRIP);
              long first = (long) strip * STRIP;
              int n = (int) Math.min(STRIP, sketch.width - first);
              for (int i = 0; i < sketch.count; i++) {
                Run row = sketch.strip(cpu, i, first, n, copy);
                for (int j = 0; j < k; j++) {
                  float weight = weights.get(Scratch.FLOAT, 4L * ((long) j * sketch.count + i));
                  cpu.rows()
                      .axpby(
                          (float) (scale * weight), row.segment(), row.offset(), 1, out,
                          4 * (j * sketch.width + first), n);
                }
              }
            });
  }

  @Override
  public void addProduct(Tensor rows, Tensor v, double scale, Tensor out) {
    Rows sketch = Rows.of("sketch.addProduct", rows);
    Require.rank("sketch.addProduct: v", v, 2);
    int k = (int) v.dim(0);
    Require.tensor("sketch.addProduct: v", v, F32, k, rows.dim(1));
    Require.tensor("sketch.addProduct: out", out, F32, k, rows.dim(1));
    MemorySegment dots =
        cpu.pool().callersScratch().floats(Slot.DOTS, (long) k * sketch.count);
    dots(sketch, Cpu.memory(v), k, dots);
    combine(sketch, dots, k, scale, Cpu.memory(out));
  }

  /** The rows of a sketch. */
  private record Rows(MemorySegment memory, DType type, int count, long width) {
    static Rows of(String operation, Tensor rows) {
      Require.rank(operation + ": rows", rows, 2);
      Require.that(
          rows.dtype() == BF16 || rows.dtype() == F32, operation + ": rows", "BF16 or F32", rows);
      return new Rows(
          Cpu.memory(rows), rows.dtype(), Math.toIntExact(rows.dim(0)), rows.dim(1));
    }

    /** Columns {@code first … first+n-1} of row i as floats. */
    Run strip(Cpu cpu, int i, long first, int n, MemorySegment copy) {
      return cpu.records().floats(type, memory, i * width + first, n, copy);
    }
  }
}
