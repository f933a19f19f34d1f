package dev.lethe.backend.cpu.rows;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.gemm.Gemm;
import dev.lethe.backend.cpu.gemm.Matrix;
import dev.lethe.backend.cpu.gemm.Panels;
import dev.lethe.backend.cpu.gemm.Scratch.Slot;
import dev.lethe.backend.cpu.primitive.TilePrimitives;
import dev.lethe.backend.kernel.KernelCall;
import dev.lethe.backend.kernel.Require;
import dev.lethe.backend.kernel.RowKernels;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Selection of rows and columns, one copy a row. */
public final class CpuRows implements RowKernels {
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

  /** Rows whose outer products are added at a time. */
  private static final int SLICE = 512;

  private final Cpu cpu;

  public CpuRows(Cpu cpu) {
    this.cpu = cpu;
  }

  @Override
  public void gather(Gather call) {
    MemorySegment index = ascending(call, call.rows(), call.x().dim(-2));
    MemorySegment from = Cpu.memory(call.x());
    MemorySegment to = Cpu.memory(call.y());
    int m = Math.toIntExact(call.rows().elements());
    long bytes = 4 * call.x().dim(-1);
    long n = call.x().dim(-2);
    cpu.pool()
        .runRanges(
            Math.toIntExact(call.y().shape().rows()),
            Cpu.grain(call.x().dim(-1)),
            (first, end, scratch) -> {
              for (int row = first; row < end; row++) {
                long source = row / m * n + index.get(INT, 4L * (row % m));
                MemorySegment.copy(from, source * bytes, to, row * bytes, bytes);
              }
            });
  }

  @Override
  public void scatter(Scatter call) {
    MemorySegment index = ascending(call, call.rows(), call.gx().dim(-2));
    MemorySegment from = Cpu.memory(call.gy());
    MemorySegment to = Cpu.memory(call.gx());
    int m = Math.toIntExact(call.rows().elements());
    long bytes = 4 * call.gx().dim(-1);
    long n = call.gx().dim(-2);
    to.fill((byte) 0);
    cpu.pool()
        .runRanges(
            Math.toIntExact(call.gy().shape().rows()),
            Cpu.grain(call.gx().dim(-1)),
            (first, end, scratch) -> {
              for (int row = first; row < end; row++) {
                long target = row / m * n + index.get(INT, 4L * (row % m));
                MemorySegment.copy(from, row * bytes, to, target * bytes, bytes);
              }
            });
  }

  @Override
  public void copyColumns(CopyColumns call) {
    MemorySegment from = Cpu.memory(call.from());
    MemorySegment to = Cpu.memory(call.to());
    cpu.pool()
        .runRanges(
            Math.toIntExact(call.to().shape().rows()),
            Cpu.grain(call.width()),
            (first, end, scratch) -> {
              for (long row = first; row < end; row++) {
                long source = 4 * (row * call.from().dim(-1) + call.fromColumn());
                long target = 4 * (row * call.to().dim(-1) + call.toColumn());
                MemorySegment.copy(from, source, to, target, 4 * call.width());
              }
            });
  }

  @Override
  public void addOuter(AddOuter call) {
    Tensor b = call.b();
    Tensor a = call.a();
    int width = Math.toIntExact(b.dim(1));
    MemorySegment left = Cpu.memory(a);
    MemorySegment right = Cpu.memory(b);
    Matrix sum = Matrix.rows(Cpu.memory(call.out()), width);
    for (long row = 0; row < a.dim(0); row += SLICE) {
      int depth = (int) Math.min(SLICE, a.dim(0) - row);
      Panels panels = scaled(right, row, depth, width, (float) call.scale());
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
              for (int panel = from; panel < to; panel++) {
                panels.packScaled(cpu.rows(), factor, panel, b, 4 * row * width);
              }
            });
    return panels;
  }

  /** Indices, checked to ascend and to lie below the bound. */
  private static MemorySegment ascending(KernelCall call, Tensor rows, long bound) {
    MemorySegment index = Cpu.memory(rows);
    int before = -1;
    for (long i = 0; i < rows.elements(); i++) {
      int row = index.get(INT, 4 * i);
      Require.index(call, "rows", i, row, bound);
      Require.ascends(call, "rows", i, before, row);
      before = row;
    }
    return index;
  }
}
