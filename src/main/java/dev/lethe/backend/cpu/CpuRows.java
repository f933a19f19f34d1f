package dev.lethe.backend.cpu;

import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.Require;
import dev.lethe.backend.RowKernels;
import dev.lethe.backend.cpu.Scratch.Slot;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Selection of rows, one copy a row. */
final class CpuRows implements RowKernels {
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

  /** Rows whose outer products are added at a time. */
  private static final int SLICE = 512;

  private final Cpu cpu;

  CpuRows(Cpu cpu) {
    this.cpu = cpu;
  }

  @Override
  public void gather(Tensor rows, Tensor x, Tensor y) {
    require("rows.gather", rows, x, "x", y, "y");
    MemorySegment index = Cpu.memory(rows);
    MemorySegment from = Cpu.memory(x);
    MemorySegment to = Cpu.memory(y);
    int m = Math.toIntExact(rows.elements());
    long bytes = 4 * x.dim(-1);
    long n = x.dim(-2);
    cpu.pool()
        .runRanges(
            Math.toIntExact(y.shape().rows()),
            Cpu.grain(x.dim(-1)),
            (first, end, scratch) -> {
              for (int row = first; row < end; row++) {
                long source = row / m * n + index.get(INT, 4L * (row % m));
                MemorySegment.copy(from, source * bytes, to, row * bytes, bytes);
              }
            });
  }

  @Override
  public void scatter(Tensor rows, Tensor gy, Tensor gx) {
    require("rows.scatter", rows, gx, "gx", gy, "gy");
    MemorySegment index = Cpu.memory(rows);
    MemorySegment from = Cpu.memory(gy);
    MemorySegment to = Cpu.memory(gx);
    int m = Math.toIntExact(rows.elements());
    long bytes = 4 * gx.dim(-1);
    long n = gx.dim(-2);
    to.fill((byte) 0);
    cpu.pool()
        .runRanges(
            Math.toIntExact(gy.shape().rows()),
            Cpu.grain(gx.dim(-1)),
            (first, end, scratch) -> {
              for (int row = first; row < end; row++) {
                long target = row / m * n + index.get(INT, 4L * (row % m));
                MemorySegment.copy(from, row * bytes, to, target * bytes, bytes);
              }
            });
  }

  @Override
  public void addOuter(Tensor a, Tensor b, double scale, Tensor out) {
    Require.rank("rows.addOuter: a", a, 2);
    Require.rank("rows.addOuter: b", b, 2);
    Require.tensor("rows.addOuter: a", a, F32, a.dim(0), a.dim(1));
    Require.tensor("rows.addOuter: b", b, F32, a.dim(0), b.dim(1));
    Require.tensor("rows.addOuter: out", out, F32, a.dim(1), b.dim(1));
    int width = Math.toIntExact(b.dim(1));
    MemorySegment left = Cpu.memory(a);
    MemorySegment right = Cpu.memory(b);
    Matrix sum = Matrix.rows(Cpu.memory(out), width);
    for (long row = 0; row < a.dim(0); row += SLICE) {
      int depth = (int) Math.min(SLICE, a.dim(0) - row);
      Panels panels = scaled(right, row, depth, width, (float) scale);
      Matrix columns = new Matrix(left, 4 * row * a.dim(1), 4, 4 * a.dim(1));
      cpu.gemm().run(Math.toIntExact(a.dim(1)), sum, sum, new Gemm.Term(columns, panels));
    }
  }

  /** Rows of b times a factor as panels. */
  private Panels scaled(MemorySegment b, long row, int depth, int width, float factor) {
    MemorySegment memory =
        cpu.pool().callersScratch().floats(Slot.K_PANELS, Panels.size(depth, width));
    Panels panels = new Panels(memory, depth, width);
    cpu.pool()
        .runRanges(
            panels.count(),
            Cpu.grain((long) depth * TilePrimitives.WIDE),
            (from, to, scratch) -> {
              MemorySegment piece = scratch.floats(Slot.PRODUCT, TilePrimitives.WIDE);
              for (int panel = from; panel < to; panel++) {
                for (int i = 0; i < depth; i++) {
                  long at = (row + i) * width + (long) panel * TilePrimitives.WIDE;
                  cpu.rows().scale(factor, b, 4 * at, piece, 0, panels.used(panel));
                  panels.put(panel, i, panels.used(panel), piece, 0);
                }
              }
            });
    return panels;
  }

  private static void require(
      String operation, Tensor rows, Tensor all, String allName, Tensor some, String someName) {
    Require.rank(operation + ": rows", rows, 1);
    Require.tensor(operation + ": rows", rows, DType.I32, rows.dim(0));
    Require.rank(operation + ": " + allName, all, 2, 3);
    Require.tensor(operation + ": " + allName, all, F32, all.shape().toArray());
    long[] dims = all.shape().toArray();
    dims[dims.length - 2] = rows.dim(0);
    Require.tensor(operation + ": " + someName, some, F32, dims);
    MemorySegment index = Cpu.memory(rows);
    String what = operation + ": rows";
    int before = -1;
    for (long i = 0; i < rows.elements(); i++) {
      int row = index.get(INT, 4 * i);
      Require.index(what, i, row, all.dim(-2));
      if (row <= before) {
        Require.that(
            false, what, "ascending indices without repeats", row + " at position " + i);
      }
      before = row;
    }
  }
}
