package dev.lethe.backend.cpu;

import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.LoraSlot;
import dev.lethe.backend.Packing;
import dev.lethe.backend.Require;
import dev.lethe.backend.cpu.OuterProducts.Job;
import dev.lethe.backend.cpu.OuterProducts.Pair;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Gradients of adapters, of a batch, of each sequence or weighted by sequence: Ā = s hᵀx, and B̄ =
 * s ȳᵀu computed as its transpose s uᵀȳ, so that both read the wide matrix row by row.
 */
final class LoraGradients {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final Cpu cpu;
  private final OuterProducts products;

  LoraGradients(Cpu cpu) {
    this.cpu = cpu;
    this.products = new OuterProducts(cpu);
  }

  void gradient(LoraSlot slot, Tensor xa, Tensor u, Tensor h, Tensor gy, double scale, Tensor g) {
    Target target = target("lora.gradient", slot, g);
    int k = target.count();
    int n = requireInputs("lora.gradient", slot, xa, u);
    Require.tensor("lora.gradient: h", h, F32, k, n, slot.rank());
    Require.tensor("lora.gradient: gy", gy, F32, k, n, slot.out());
    Job[] a = new Job[k];
    Job[] b = new Job[k];
    for (int j = 0; j < k; j++) {
      a[j] = new Job(0, n, pair(h, j, n, slot.rank(), xa, 0, slot.in()));
      b[j] = new Job(0, n, pair(u, 0, n, slot.rank(), gy, j, slot.out()));
    }
    store(target, (float) (scale * slot.scale()), a, b);
  }

  void gradientTangent(
      LoraSlot slot,
      Tensor xa,
      Tensor u,
      Tensor dxa,
      Tensor du,
      Tensor h,
      Tensor gy,
      Tensor dh,
      Tensor dgy,
      double scale,
      Tensor g) {
    Target target = target("lora.gradientTangent", slot, g);
    int k = target.count();
    int n = requireInputs("lora.gradientTangent", slot, xa, u);
    requireAdjoints("lora.gradientTangent", slot, n, h, gy);
    Require.tensorOrNull("lora.gradientTangent: dxa", dxa, F32, k, n, slot.in());
    Require.tensor("lora.gradientTangent: du", du, F32, k, n, slot.rank());
    Require.tensor("lora.gradientTangent: dh", dh, F32, k, n, slot.rank());
    Require.tensorOrNull("lora.gradientTangent: dgy", dgy, F32, k, n, slot.out());
    Job[] a = new Job[k];
    Job[] b = new Job[k];
    for (int j = 0; j < k; j++) {
      Pair a1 = pair(dh, j, n, slot.rank(), xa, 0, slot.in());
      Pair b1 = pair(du, j, n, slot.rank(), gy, 0, slot.out());
      a[j] =
          dxa == null
              ? new Job(0, n, a1)
              : new Job(0, n, a1, pair(h, 0, n, slot.rank(), dxa, j, slot.in()));
      b[j] =
          dgy == null
              ? new Job(0, n, b1)
              : new Job(0, n, b1, pair(u, 0, n, slot.rank(), dgy, j, slot.out()));
    }
    store(target, (float) (scale * slot.scale()), a, b);
  }

  void perSampleGradient(
      LoraSlot slot,
      Packing packing,
      Tensor xa,
      Tensor u,
      Tensor h,
      Tensor gy,
      double scale,
      Tensor g) {
    int n = requireSamples("lora.perSampleGradient", slot, packing, xa, u, h, gy);
    Target target = target("lora.perSampleGradient", slot, g);
    Require.tensor("lora.perSampleGradient: g", g, F32, packing.count(), g.dim(1));
    float factor = (float) (scale * slot.scale());
    products.run(
        jobs(packing, pair(h, 0, n, slot.rank(), xa, 0, slot.in())),
        target.rank(),
        target.in(),
        false,
        (i, column, width, block) -> target.addA(i, column, width, block, factor, 0));
    products.run(
        jobs(packing, pair(u, 0, n, slot.rank(), gy, 0, slot.out())),
        target.rank(),
        target.out(),
        false,
        (i, column, width, block) -> target.addB(i, column, width, block, factor, 0));
  }

  void addSquaredNorms(
      LoraSlot slot, Packing packing, Tensor xa, Tensor u, Tensor h, Tensor gy, Tensor norms) {
    int n = requireSamples("lora.perSampleSquaredNorm", slot, packing, xa, u, h, gy);
    Require.tensor("lora.perSampleSquaredNorm: norms", norms, F32, packing.count());
    int r = Math.toIntExact(slot.rank());
    double[] a =
        squares(jobs(packing, pair(h, 0, n, r, xa, 0, slot.in())), r, Math.toIntExact(slot.in()));
    double[] b =
        squares(jobs(packing, pair(u, 0, n, r, gy, 0, slot.out())), r, Math.toIntExact(slot.out()));
    MemorySegment out = Cpu.memory(norms);
    double factor = slot.scale() * slot.scale();
    for (int i = 0; i < packing.count(); i++) {
      out.set(FLOAT, 4L * i, (float) (out.get(FLOAT, 4L * i) + factor * (a[i] + b[i])));
    }
  }

  /** ‖hᵀx‖² of every job; strips are summed in order, whichever thread made them. */
  private double[] squares(Job[] jobs, int r, int width) {
    int strips = Math.ceilDiv(width, TilePrimitives.WIDE);
    double[] parts = new double[jobs.length * strips];
    products.run(
        jobs,
        r,
        width,
        false,
        (i, column, used, block) -> {
          double sum = 0;
          for (int a = 0; a < r; a++) {
            long at = 4L * a * TilePrimitives.WIDE;
            sum += cpu.rows().dotDouble(block, at, block, at, used);
          }
          parts[i * strips + column / TilePrimitives.WIDE] = sum;
        });
    double[] sums = new double[jobs.length];
    for (int i = 0; i < parts.length; i++) {
      sums[i / strips] += parts[i];
    }
    return sums;
  }

  void weightedGradient(
      LoraSlot slot,
      Packing packing,
      Tensor weights,
      Tensor xa,
      Tensor u,
      Tensor h,
      Tensor gy,
      double scale,
      Tensor g) {
    int n = requireSamples("lora.weightedGradient", slot, packing, xa, u, h, gy);
    Target target = target("lora.weightedGradient", slot, g);
    int k = target.count();
    int samples = packing.count();
    Require.tensor("lora.weightedGradient: weights", weights, F32, k, samples);
    MemorySegment c = Cpu.memory(weights);
    float factor = (float) (scale * slot.scale());
    products.run(
        jobs(packing, pair(h, 0, n, slot.rank(), xa, 0, slot.in())),
        target.rank(),
        target.in(),
        true,
        (i, column, width, block) -> {
          for (int j = 0; j < k; j++) {
            float weight = factor * c.get(FLOAT, 4L * (j * samples + i));
            target.addA(j, column, width, block, weight, 1);
          }
        });
    products.run(
        jobs(packing, pair(u, 0, n, slot.rank(), gy, 0, slot.out())),
        target.rank(),
        target.out(),
        true,
        (i, column, width, block) -> {
          for (int j = 0; j < k; j++) {
            float weight = factor * c.get(FLOAT, 4L * (j * samples + i));
            target.addB(j, column, width, block, weight, 1);
          }
        });
  }

  /** dots[j][i] += s Σ p∘q over the rows of sequence i, both (N,r). */
  void addRowDots(
      LoraSlot slot, Packing packing, MemorySegment p, MemorySegment q, Tensor dots, int j) {
    MemorySegment out = Cpu.memory(dots);
    long r = slot.rank();
    for (int i = 0; i < packing.count(); i++) {
      long at = 4 * packing.start(i) * r;
      int length = Math.toIntExact(packing.length(i) * r);
      double dot = slot.scale() * cpu.rows().dotDouble(p, at, q, at, length);
      long to = 4L * ((long) j * packing.count() + i);
      out.set(FLOAT, to, (float) (out.get(FLOAT, to) + dot));
    }
  }

  static int requireSamples(
      String operation, LoraSlot slot, Packing packing, Tensor xa, Tensor u, Tensor h, Tensor gy) {
    int n = requireInputs(operation, slot, xa, u);
    requireAdjoints(operation, slot, n, h, gy);
    Require.that(packing.rows() == n, operation + ": packing", n + " rows", packing);
    return n;
  }

  private void store(Target target, float factor, Job[] a, Job[] b) {
    products.run(
        a,
        target.rank(),
        target.in(),
        false,
        (j, column, width, block) -> target.addA(j, column, width, block, factor, 1));
    products.run(
        b,
        target.rank(),
        target.out(),
        false,
        (j, column, width, block) -> target.addB(j, column, width, block, factor, 1));
  }

  private static Job[] jobs(Packing packing, Pair pair) {
    Job[] jobs = new Job[packing.count()];
    for (int i = 0; i < jobs.length; i++) {
      jobs[i] = new Job(packing.start(i), packing.end(i), pair);
    }
    return jobs;
  }

  private static Pair pair(
      Tensor h, int hDirection, int n, long r, Tensor x, int xDirection, long width) {
    return new Pair(
        Cpu.memory(h), 4 * hDirection * n * r, Cpu.memory(x), 4 * xDirection * n * width);
  }

  private Target target(String operation, LoraSlot slot, Tensor g) {
    Require.rank(operation + ": g", g, 2);
    Require.tensor(operation + ": g", g, F32, g.dim(0), g.dim(1));
    Require.that(
        Math.max(
                slot.aOffset() + slot.rank() * slot.in(),
                slot.bOffset() + slot.rank() * slot.out())
            <= g.dim(1),
        operation + ": g",
        "rows that hold " + slot,
        g);
    return new Target(cpu.rows(), slot, Cpu.memory(g), Math.toIntExact(g.dim(0)), g.dim(1));
  }

  private static int requireInputs(String operation, LoraSlot slot, Tensor xa, Tensor u) {
    Require.rank(operation + ": xa", xa, 2);
    Require.tensor(operation + ": xa", xa, F32, xa.dim(0), slot.in());
    Require.tensor(operation + ": u", u, F32, xa.dim(0), slot.rank());
    return Math.toIntExact(xa.dim(0));
  }

  private static void requireAdjoints(
      String operation, LoraSlot slot, long n, Tensor h, Tensor gy) {
    Require.tensor(operation + ": h", h, F32, n, slot.rank());
    Require.tensor(operation + ": gy", gy, F32, n, slot.out());
  }

  /** The slot's place in rows of flat gradients (count,length). */
  private record Target(
      RowPrimitives rows, LoraSlot slot, MemorySegment g, int count, long length) {
    int rank() {
      return Math.toIntExact(slot.rank());
    }

    int in() {
      return Math.toIntExact(slot.in());
    }

    int out() {
      return Math.toIntExact(slot.out());
    }

    /** Ā[:,column…] = keep·Ā + factor·block. */
    void addA(int row, int column, int width, MemorySegment block, float factor, float keep) {
      for (int i = 0; i < rank(); i++) {
        long from = 4L * i * TilePrimitives.WIDE;
        long to = 4 * (row * length + slot.aOffset() + i * slot.in() + column);
        if (keep == 0) {
          rows.scale(factor, block, from, g, to, width);
        } else {
          rows.axpby(factor, block, from, keep, g, to, width);
        }
      }
    }

    /** B̄[column…,:] = keep·B̄ + factor·blockᵀ. */
    void addB(int row, int column, int width, MemorySegment block, float factor, float keep) {
      int r = rank();
      for (int j = 0; j < width; j++) {
        long to = 4 * (row * length + slot.bOffset() + (long) (column + j) * r);
        for (int i = 0; i < r; i++) {
          float value = factor * block.get(FLOAT, 4L * (i * TilePrimitives.WIDE + j));
          long at = to + 4L * i;
          g.set(FLOAT, at, keep == 0 ? value : g.get(FLOAT, at) + value);
        }
      }
    }
  }
}
