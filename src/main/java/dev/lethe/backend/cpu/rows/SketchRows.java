package dev.lethe.backend.cpu.rows;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.gemm.Scratch;
import dev.lethe.backend.cpu.gemm.Scratch.Slot;
import dev.lethe.backend.cpu.primitive.RecordPrimitives;
import dev.lethe.backend.cpu.primitive.RowPrimitives.Run;
import dev.lethe.backend.cpu.primitive.RowPrimitives;
import dev.lethe.tensor.DType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * The rows of a sketch, which pass in strips of columns. A dot is a float sum for each strip, and those are
 * added in double in their order; rows are added to a result in their order. So results depend neither on
 * threads nor on how rows are cut into blocks.
 *
 * @param memory (count,width) of BF16 or F32
 */
record SketchRows(Cpu cpu, MemorySegment memory, DType type, int count, long width) {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final int LANES = RowPrimitives.LANES;
  private static final int ROWS = RecordPrimitives.ROWS;

  /** Columns at a time: those of four rows and of a direction stay in the nearest cache. */
  private static final int STRIP = 2048;

  /** Tasks for each thread between two barriers. */
  private static final int TASKS = 2;

  /** dots[j][i] = ⟨row i, v[j]⟩, each by one thread. */
  void dots(MemorySegment v, int k, MemorySegment dots) {
    int strips = strips();
    cpu.pool()
        .runRanges(
            Math.ceilDiv(count, ROWS),
            Cpu.grain(ROWS * width * k),
            (from, to, scratch) -> {
              Worker worker = new Worker(scratch, k);
              double[] sums = new double[ROWS * k];
              for (int row = from * ROWS; row < Math.min(count, to * ROWS); row += ROWS) {
                int rows = Math.min(ROWS, count - row);
                Arrays.fill(sums, 0);
                for (int s = 0; s < strips; s++) {
                  worker.addDots(row, rows, s, v, sums, 0, 1);
                }
                for (int i = 0; i < rows * k; i++) {
                  long place = (long) i % k * count + row + i / k;
                  dots.set(FLOAT, 4 * place, (float) sums[i]);
                }
              }
            });
  }

  /** Adds scale·Σᵢ weights[j][i]·row i to out[j], each strip by one thread. */
  void combine(MemorySegment weights, int k, double scale, MemorySegment out) {
    float[] scaled = new float[k * count];
    for (int place = 0; place < scaled.length; place++) {
      scaled[place] = (float) (scale * weights.get(FLOAT, 4L * place));
    }
    cpu.pool()
        .runRanges(
            strips(),
            Cpu.grain((long) STRIP * count * k),
            (from, to, scratch) -> {
              Worker worker = new Worker(scratch, k);
              for (int s = from; s < to; s++) {
                worker.addRows(0, count, s, scaled, count, out);
              }
            });
  }

  /**
   * Adds scale·Σᵢ row i·⟨row i, v[j]⟩ to out[j]. A strip of one block is added while the next one's dots are
   * made.
   *
   * @param block rows of a block; 0: all dots first, then all additions
   */
  void addProduct(MemorySegment v, int k, double scale, MemorySegment out, int block) {
    if (block == 0) {
      MemorySegment dots = cpu.pool().callersScratch().floats(Slot.DOTS, (long) k * count);
      dots(v, k, dots);
      combine(dots, k, scale, out);
      return;
    }
    int strips = strips();
    double[] parts = new double[block * k * strips];
    float[] weights = new float[block * k];
    int tasks = Math.min(strips, TASKS * cpu.pool().threads());
    for (int row = 0; row < count + block; row += block) {
      int first = row;
      int rows = Math.clamp(count - row, 0, block);
      int before = row == 0 ? 0 : Math.min(block, count - row + block);
      cpu.pool()
          .run(
              tasks,
              (task, scratch) -> {
                Worker worker = new Worker(scratch, k);
                for (int s = strips * task / tasks; s < strips * (task + 1) / tasks; s++) {
                  worker.addRows(first - block, before, s, weights, block, out);
                  for (int r = 0; r < rows; r += ROWS) {
                    int some = Math.min(ROWS, rows - r);
                    worker.addDots(first + r, some, s, v, parts, r * k * strips + s, strips);
                  }
                }
              });
      weigh(parts, strips, weights, block, k, scale);
    }
  }

  /** Turns the sums of strips into the weights of a block's rows, and clears them. */
  private static void weigh(
      double[] parts, int strips, float[] weights, int block, int k, double scale) {
    for (int i = 0; i < block * k; i++) {
      double sum = 0;
      for (int place = i * strips; place < (i + 1) * strips; place++) {
        sum += parts[place];
      }
      weights[i % k * block + i / k] = (float) (scale * (float) sum);
    }
    Arrays.fill(parts, 0);
  }

  private int strips() {
    return Math.toIntExact(Math.ceilDiv(width, STRIP));
  }

  private int stripWidth(int strip) {
    return (int) Math.min(STRIP, width - (long) strip * STRIP);
  }

  /** What a task does on a strip for all directions, four rows of BF16 at a time where there are as many. */
  private final class Worker {
    private final MemorySegment copy;
    private final int k;
    private final float[] lanes = new float[ROWS * LANES];

    Worker(Scratch scratch, int k) {
      copy = scratch.floats(Slot.STRIP, STRIP);
      this.k = k;
    }

    /** Adds the product of row r with direction j to {@code sums[place + (r·k + j)·step]}. */
    void addDots(
        int row, int rows, int strip, MemorySegment v, double[] sums, int place, int step) {
      int n = stripWidth(strip);
      if (together(rows)) {
        long at = 2 * element(row, strip);
        for (int j = 0; j < k; j++) {
          cpu.records().dots(memory, at, 2 * width, v, 4 * element(j, strip), n, lanes);
          for (int r = 0; r < rows; r++) {
            sums[place + (r * k + j) * step] += lanes[LANES * r];
          }
        }
        return;
      }
      for (int r = 0; r < rows; r++) {
        Run one = cpu.rows().floats(type, memory, element(row + r, strip), n, copy);
        for (int j = 0; j < k; j++) {
          sums[place + (r * k + j) * step] +=
              cpu.rows().dot(one.segment(), one.offset(), v, 4 * element(j, strip), n);
        }
      }
    }

    /** Adds rows to the results; the weights of direction j begin at {@code j·stride}. */
    void addRows(int row, int rows, int strip, float[] weights, int stride, MemorySegment out) {
      for (int r = 0; r < rows; r += ROWS) {
        addSome(row + r, Math.min(ROWS, rows - r), strip, weights, r, stride, out);
      }
    }

    private void addSome(
        int row, int rows, int strip, float[] weights, int first, int stride, MemorySegment out) {
      int n = stripWidth(strip);
      if (together(rows)) {
        long at = 2 * element(row, strip);
        for (int j = 0; j < k; j++) {
          int place = j * stride + first;
          long to = 4 * element(j, strip);
          cpu.records().addRows(weights, place, memory, at, 2 * width, out, to, n);
        }
        return;
      }
      for (int r = 0; r < rows; r++) {
        Run one = cpu.rows().floats(type, memory, element(row + r, strip), n, copy);
        for (int j = 0; j < k; j++) {
          float weight = weights[j * stride + first + r];
          long to = 4 * element(j, strip);
          cpu.rows().axpby(weight, one.segment(), one.offset(), 1, out, to, n);
        }
      }
    }

    private boolean together(int rows) {
      return type == DType.BF16 && rows == ROWS;
    }
  }

  /** Where a strip of a row begins, in the sketch or in one of the vectors. */
  private long element(int row, int strip) {
    return row * width + (long) strip * STRIP;
  }
}
