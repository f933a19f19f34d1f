package dev.lethe.backend.cpu.rows;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.primitive.NormSum;
import dev.lethe.backend.cpu.primitive.NormSum.Term;
import dev.lethe.backend.cpu.primitive.RowPrimitives.Run;
import dev.lethe.backend.cpu.primitive.RowPrimitives;
import dev.lethe.backend.kernel.RmsNormKernels;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Residual add and root-mean-square norm; a row stays in the nearest cache for all its passes. */
public final class CpuRmsNorm implements RmsNormKernels {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final Cpu cpu;
  private final RowPrimitives rows;

  public CpuRmsNorm(Cpu cpu) {
    this.cpu = cpu;
    this.rows = cpu.rows();
  }

  @Override
  public void forward(Forward call) {
    long n = call.x().dim(0);
    long d = call.x().dim(1);
    int width = width(d);
    MemorySegment weight = Cpu.memory(call.w());
    MemorySegment in = Cpu.memory(call.x());
    MemorySegment residual = call.f() == null ? null : Cpu.memory(call.f());
    MemorySegment sum = call.f() == null ? in : Cpu.memory(call.s());
    MemorySegment out = Cpu.memory(call.y());
    MemorySegment reciprocal = Cpu.memory(call.r());
    cpu.pool()
        .runRanges(
            Math.toIntExact(n),
            Cpu.grain(d),
            (from, to, scratch) -> {
              float[] reciprocals = new float[to - from];
              for (int row = from; row < to; row++) {
                long at = 4 * row * d;
                if (residual != null) {
                  rows.add(in, at, residual, at, sum, at, width);
                }
                double mean = rows.dot(sum, at, sum, at, width) / (double) d;
                float rr = (float) (1 / Math.sqrt(mean + call.epsilon()));
                reciprocals[row - from] = rr;
                NormRow.combine(
                    cpu,
                    new NormSum(
                        null,
                        new Run(weight, 0),
                        new Term(rr, sum, at),
                        new Term(0f, sum, at),
                        new Term(0f, sum, at),
                        new Term(0f, sum, at)),
                    out,
                    at,
                    width);
              }
              MemorySegment.copy(reciprocals, 0, reciprocal, FLOAT, 4L * from, to - from);
            });
  }

  @Override
  public void tangent(Tangent call) {
    Primal p = call.p();
    long n = p.s().dim(0);
    long d = p.s().dim(1);
    long k = call.dy().dim(0);
    int width = width(d);
    MemorySegment weight = Cpu.memory(p.w());
    MemorySegment sum = Cpu.memory(p.s());
    MemorySegment reciprocal = Cpu.memory(p.r());
    Tensor one = call.dx() == null ? call.df() : call.dx();
    MemorySegment first = one == null ? null : Cpu.memory(one);
    MemorySegment second = call.dx() == null || call.df() == null ? null : Cpu.memory(call.df());
    MemorySegment dsum = call.ds() == null ? first : Cpu.memory(call.ds());
    MemorySegment out = Cpu.memory(call.dy());
    cpu.pool()
        .runRanges(
            Math.toIntExact(k * n),
            Cpu.grain(d),
            (from, to, scratch) -> {
              for (int row = from; row < to; row++) {
                long at = 4 * row * d;
                long primal = 4 * (row % n) * d;
                if (first == null) {
                  rows.fill(dsum, at, width, 0);
                } else if (second != null) {
                  rows.add(first, at, second, at, dsum, at, width);
                } else if (dsum != first) {
                  rows.copy(first, at, dsum, at, width);
                }
                double rr = reciprocal.get(FLOAT, 4 * (row % n));
                double drr = -rr * rr * rr * rows.dot(sum, primal, dsum, at, width) / d;
                NormRow.combine(
                    cpu,
                    new NormSum(
                        null,
                        new Run(weight, 0),
                        new Term(rr, dsum, at),
                        new Term(drr, sum, primal),
                        new Term(0f, sum, primal),
                        new Term(0f, sum, primal)),
                    out,
                    at,
                    width);
              }
            });
  }

  @Override
  public void backward(Backward call) {
    Primal p = call.p();
    long n = p.s().dim(0);
    long d = p.s().dim(1);
    long k = call.gx().dim(0);
    int width = width(d);
    MemorySegment weight = Cpu.memory(p.w());
    MemorySegment sum = Cpu.memory(p.s());
    MemorySegment reciprocal = Cpu.memory(p.r());
    MemorySegment base = call.gs() == null ? null : Cpu.memory(call.gs());
    MemorySegment g = Cpu.memory(call.gy());
    MemorySegment out = Cpu.memory(call.gx());
    cpu.pool()
        .runRanges(
            Math.toIntExact(k * n),
            Cpu.grain(d),
            (from, to, scratch) -> {
              for (int row = from; row < to; row++) {
                long at = 4 * row * d;
                long primal = 4 * (row % n) * d;
                double rr = reciprocal.get(FLOAT, 4 * (row % n));
                double c = (double) rows.dot3(weight, 0, g, at, sum, primal, width) / d;
                NormRow.combine(
                    cpu,
                    new NormSum(
                        NormRow.orNull(base, at),
                        new Run(weight, 0),
                        new Term(rr, g, at),
                        new Term(0f, g, at),
                        new Term(-rr * rr * rr * c, sum, primal),
                        new Term(0f, sum, primal)),
                    out,
                    at,
                    width);
              }
            });
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    Primal p = call.p();
    long n = p.s().dim(0);
    long d = p.s().dim(1);
    long k = call.dgx().dim(0);
    int width = width(d);
    MemorySegment weight = Cpu.memory(p.w());
    MemorySegment sum = Cpu.memory(p.s());
    MemorySegment reciprocal = Cpu.memory(p.r());
    MemorySegment g = Cpu.memory(call.gy());
    MemorySegment dsum = Cpu.memory(call.ds());
    MemorySegment base = call.dgs() == null ? null : Cpu.memory(call.dgs());
    MemorySegment dg = Cpu.memory(call.dgy());
    MemorySegment out = Cpu.memory(call.dgx());
    cpu.pool()
        .runRanges(
            Math.toIntExact(k * n),
            Cpu.grain(d),
            (from, to, scratch) -> {
              for (int row = from; row < to; row++) {
                long at = 4 * row * d;
                long primal = 4 * (row % n) * d;
                double rr = reciprocal.get(FLOAT, 4 * (row % n));
                double r3 = rr * rr * rr;
                double drr = -r3 * rows.dot(sum, primal, dsum, at, width) / d;
                double c = (double) rows.dot3(weight, 0, g, primal, sum, primal, width) / d;
                double dc =
                    ((double) rows.dot3(weight, 0, g, primal, dsum, at, width)
                            + rows.dot3(weight, 0, dg, at, sum, primal, width))
                        / d;
                double ofSum = -(3 * rr * rr * drr * c + r3 * dc);
                NormRow.combine(
                    cpu,
                    new NormSum(
                        NormRow.orNull(base, at),
                        new Run(weight, 0),
                        new Term(drr, g, primal),
                        new Term(rr, dg, at),
                        new Term(ofSum, sum, primal),
                        new Term(-r3 * c, dsum, at)),
                    out,
                    at,
                    width);
              }
            });
  }

  private static int width(long d) {
    return Math.toIntExact(d);
  }
}
