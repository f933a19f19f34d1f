package dev.lethe.backend.cpu.rows;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.gemm.Scratch;
import dev.lethe.backend.cpu.primitive.NormSum;
import dev.lethe.backend.cpu.primitive.NormSum.Term;
import dev.lethe.backend.cpu.primitive.RowPrimitives.Run;
import dev.lethe.backend.cpu.primitive.RowPrimitives;
import dev.lethe.backend.kernel.LayerNormKernels;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Residual add and layer norm; a row stays in the nearest cache for all its passes. All that is new against {@link
 * CpuRmsNorm} are sums of a row and constants added to one, both by a run of ones.
 */
public final class CpuLayerNorm implements LayerNormKernels {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final Cpu cpu;
  private final RowPrimitives rows;
  private final MemorySegment ones = Arena.ofAuto().allocate(4L * Cpu.ZEROS, 64);

  public CpuLayerNorm(Cpu cpu) {
    this.cpu = cpu;
    this.rows = cpu.rows();
    rows.fill(ones, 0, Cpu.ZEROS, 1);
  }

  @Override
  public void forward(Forward call) {
    Row row = new Row(call.p());
    MemorySegment in = Cpu.memory(call.x());
    MemorySegment residual = call.f() == null ? null : Cpu.memory(call.f());
    MemorySegment bias = call.b() == null ? null : Cpu.memory(call.b());
    MemorySegment out = Cpu.memory(call.y());
    each(
        call.p().rows(),
        row.width,
        (i, scratch) -> {
          long at = row.at(i);
          if (residual != null) {
            rows.add(in, at, residual, at, row.sum, at, row.width);
          }
          float m = (float) (sum(row.sum, at, row.width) / row.width);
          shifted(row.sum, at, m, out, at, row.width);
          double squares = rows.dot(out, at, out, at, row.width) / (double) row.width;
          float r = (float) (1 / Math.sqrt(squares + call.epsilon()));
          row.means.set(FLOAT, 4L * i, m);
          row.reciprocals.set(FLOAT, 4L * i, r);
          NormRow.combine(
              cpu,
              new NormSum(
                  NormRow.orNull(bias, 0),
                  new Run(row.weight, 0),
                  new Term(r, out, at),
                  new Term(0f, out, at),
                  new Term(0f, out, at),
                  new Term(0f, out, at)),
              out,
              at,
              row.width);
        });
  }

  @Override
  public void tangent(Tangent call) {
    Row row = new Row(call.p());
    Tensor one = call.dx() == null ? call.df() : call.dx();
    boolean both = call.dx() != null && call.df() != null;
    MemorySegment first = one == null ? null : Cpu.memory(one);
    MemorySegment second = both ? Cpu.memory(call.df()) : null;
    MemorySegment ds = call.ds() == null ? first : Cpu.memory(call.ds());
    MemorySegment dy = Cpu.memory(call.dy());
    each(
        call.dy().dim(0) * call.p().rows(),
        row.width,
        (i, scratch) -> {
          long at = row.at(i);
          if (first == null) {
            rows.fill(ds, at, row.width, 0);
          } else if (both) {
            rows.add(first, at, second, at, ds, at, row.width);
          } else if (ds != first) {
            rows.copy(first, at, ds, at, row.width);
          }
          shifted(ds, at, (float) (sum(ds, at, row.width) / row.width), dy, at, row.width);
          MemorySegment c = row.centred(i, scratch);
          double r = row.r(i);
          double dr = -r * r * r * rows.dot(c, 0, dy, at, row.width) / row.width;
          NormRow.combine(
              cpu,
              new NormSum(
                  null,
                  new Run(row.weight, 0),
                  new Term(r, dy, at),
                  new Term(dr, c, 0),
                  new Term(0f, c, 0),
                  new Term(0f, c, 0)),
              dy,
              at,
              row.width);
        });
  }

  @Override
  public void backward(Backward call) {
    Row row = new Row(call.p());
    MemorySegment gs = call.gs() == null ? null : Cpu.memory(call.gs());
    MemorySegment gy = Cpu.memory(call.gy());
    MemorySegment gx = Cpu.memory(call.gx());
    each(
        call.gx().dim(0) * call.p().rows(),
        row.width,
        (i, scratch) -> {
          long at = row.at(i);
          MemorySegment c = row.centred(i, scratch);
          double r = row.r(i);
          double ofG = row.meanOfWeighted(gy, at);
          double ofC = -r * r * r * row.meanProduct(gy, at, c, 0);
          NormRow.combine(
              cpu,
              new NormSum(
                  NormRow.orNull(gs, at),
                  new Run(row.weight, 0),
                  new Term(r, gy, at),
                  new Term(0f, gy, at),
                  new Term(ofC, c, 0),
                  new Term(0f, c, 0)),
              gx,
              at,
              row.width);
          shift(gx, at, -r * ofG, row.width);
        });
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    Row row = new Row(call.p());
    MemorySegment gy = Cpu.memory(call.gy());
    MemorySegment ds = Cpu.memory(call.ds());
    MemorySegment dgs = call.dgs() == null ? null : Cpu.memory(call.dgs());
    MemorySegment dgy = Cpu.memory(call.dgy());
    MemorySegment dgx = Cpu.memory(call.dgx());
    each(
        call.dgx().dim(0) * call.p().rows(),
        row.width,
        (i, scratch) -> {
          long at = row.at(i);
          long primal = row.primal(i);
          MemorySegment c = row.centred(i, scratch);
          long dc = 4L * row.width;
          float dm = (float) (sum(ds, at, row.width) / row.width);
          shifted(ds, at, dm, c, dc, row.width);
          double r = row.r(i);
          double dr = -r * r * r * rows.dot(c, 0, c, dc, row.width) / row.width;
          double ofG = row.meanOfWeighted(gy, primal);
          double ofDg = row.meanOfWeighted(dgy, at);
          double q = row.meanProduct(gy, primal, c, 0);
          double dq = row.meanProduct(gy, primal, c, dc) + row.meanProduct(dgy, at, c, 0);
          double ofC = -(3 * r * r * dr * q + r * r * r * dq);
          double ofDc = -r * r * r * q;
          NormRow.combine(
              cpu,
              new NormSum(
                  NormRow.orNull(dgs, at),
                  new Run(row.weight, 0),
                  new Term(dr, gy, primal),
                  new Term(r, dgy, at),
                  new Term(ofC, c, 0),
                  new Term(ofDc, c, dc)),
              dgx,
              at,
              row.width);
          shift(dgx, at, -dr * ofG - r * ofDg, row.width);
        });
  }

  private void each(long count, int width, RowRule rule) {
    cpu.pool()
        .runRanges(
            Math.toIntExact(count),
            Cpu.grain(width),
            (from, to, scratch) -> {
              for (int i = from; i < to; i++) {
                rule.apply(i, scratch);
              }
            });
  }

  /** Σ x. */
  private double sum(MemorySegment x, long xo, int n) {
    double sum = 0;
    for (int i = 0; i < n; i += Cpu.ZEROS) {
      sum += rows.dot(x, xo + 4L * i, ones, 0, Math.min(Cpu.ZEROS, n - i));
    }
    return sum;
  }

  /** y = x − shift. */
  private void shifted(
      MemorySegment x, long xo, float shift, MemorySegment y, long yo, int n) {
    for (int i = 0; i < n; i += Cpu.ZEROS) {
      int run = Math.min(Cpu.ZEROS, n - i);
      rows.weighted(1, ones, 0, x, xo + 4L * i, shift, y, yo + 4L * i, run);
    }
  }

  /** y = y + shift. */
  private void shift(MemorySegment y, long yo, double shift, int n) {
    for (int i = 0; i < n; i += Cpu.ZEROS) {
      rows.axpby((float) shift, ones, 0, 1, y, yo + 4L * i, Math.min(Cpu.ZEROS, n - i));
    }
  }

  /** What to do with row i of k·N. */
  @FunctionalInterface
  private interface RowRule {
    void apply(int i, Scratch scratch);
  }

  /** The rows of the primal. */
  private final class Row {
    private final int width;
    private final long count;
    private final MemorySegment weight;
    private final MemorySegment sum;
    private final MemorySegment means;
    private final MemorySegment reciprocals;

    Row(Primal p) {
      width = Math.toIntExact(p.width());
      count = p.rows();
      weight = Cpu.memory(p.w());
      sum = Cpu.memory(p.s());
      means = Cpu.memory(p.mean());
      reciprocals = Cpu.memory(p.r());
    }

    long at(long i) {
      return 4 * i * width;
    }

    long primal(long i) {
      return at(i % count);
    }

    double mean(long i) {
      return means.get(FLOAT, 4 * (i % count));
    }

    double r(long i) {
      return reciprocals.get(FLOAT, 4 * (i % count));
    }

    /** mean(w∘g). */
    double meanOfWeighted(MemorySegment g, long go) {
      return rows.dot(weight, 0, g, go, width) / (double) width;
    }

    /** mean(w∘g∘x). */
    double meanProduct(MemorySegment g, long go, MemorySegment x, long xo) {
      return rows.dot3(weight, 0, g, go, x, xo, width) / (double) width;
    }

    /**
     * c = s − mean s of a row, and room for another behind it. Sums with s itself would lose the digits in which the
     * mean exceeds the spread.
     */
    MemorySegment centred(long i, Scratch scratch) {
      MemorySegment c = scratch.floats(Scratch.Slot.CENTRED, 2L * width);
      shifted(sum, primal(i), (float) mean(i), c, 0, width);
      return c;
    }
  }
}
