package dev.lethe.backend.cpu.lora;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.gemm.OuterProducts;
import dev.lethe.backend.cpu.gemm.OuterProducts.Job;
import dev.lethe.backend.cpu.gemm.OuterProducts.Pair;
import dev.lethe.backend.cpu.gemm.Scratch;
import dev.lethe.backend.cpu.gemm.Scratch.Slot;
import dev.lethe.backend.cpu.primitive.TilePrimitives;
import dev.lethe.backend.kernel.LoraGradientKernels.Gradient;
import dev.lethe.backend.kernel.LoraGradientKernels.GradientTangent;
import dev.lethe.backend.kernel.LoraGradientKernels.Kept;
import dev.lethe.backend.kernel.LoraGradientKernels.KeptTangent;
import dev.lethe.backend.kernel.LoraGradientKernels.PerSampleGradient;
import dev.lethe.backend.kernel.LoraGradientKernels.PerSampleSquaredNorm;
import dev.lethe.backend.kernel.LoraGradientKernels.WeightedGradient;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Gradients of adapters, of a batch, of each sequence or weighted by sequence: Ā = s hᵀx, and B̄ =
 * s ȳᵀu computed as its transpose s uᵀȳ, so that both read the wide matrix row by row.
 */
final class CpuLoraGradients {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  private final Cpu cpu;
  private final OuterProducts products;

  CpuLoraGradients(Cpu cpu) {
    this.cpu = cpu;
    this.products = new OuterProducts(cpu);
  }

  void gradient(Gradient call) {
    LoraSlot slot = call.slot();
    Kept kept = call.kept();
    Target target = target(slot, call.g());
    int k = target.count();
    int n = Math.toIntExact(kept.xa().dim(0));
    Job[] a = new Job[k];
    Job[] b = new Job[k];
    for (int j = 0; j < k; j++) {
      a[j] = new Job(0, n, pair(kept.h(), j, n, slot.rank(), kept.xa(), 0, slot.in()));
      b[j] = new Job(0, n, pair(kept.u(), 0, n, slot.rank(), kept.gy(), j, slot.out()));
    }
    store(target, factor(slot, call.scale()), a, b);
  }

  void gradientTangent(GradientTangent call) {
    LoraSlot slot = call.slot();
    Kept kept = call.kept();
    KeptTangent d = call.tangent();
    Target target = target(slot, call.g());
    int k = target.count();
    int n = Math.toIntExact(kept.xa().dim(0));
    Job[] a = new Job[k];
    Job[] b = new Job[k];
    for (int j = 0; j < k; j++) {
      Pair a1 = pair(d.dh(), j, n, slot.rank(), kept.xa(), 0, slot.in());
      Pair b1 = pair(d.du(), j, n, slot.rank(), kept.gy(), 0, slot.out());
      a[j] =
          d.dxa() == null
              ? new Job(0, n, a1)
              : new Job(0, n, a1, pair(kept.h(), 0, n, slot.rank(), d.dxa(), j, slot.in()));
      b[j] =
          d.dgy() == null
              ? new Job(0, n, b1)
              : new Job(0, n, b1, pair(kept.u(), 0, n, slot.rank(), d.dgy(), j, slot.out()));
    }
    store(target, factor(slot, call.scale()), a, b);
  }

  void perSampleGradient(PerSampleGradient call) {
    Target target = target(call.slot(), call.g());
    float factor = factor(call.slot(), call.scale());
    products.run(
        jobsOfA(call.slot(), call.packing(), call.kept()),
        target.rank(),
        target.in(),
        false,
        (i, column, width, block, _) -> target.addA(i, column, width, block, factor, false));
    products.run(
        jobsOfB(call.slot(), call.packing(), call.kept()),
        target.rank(),
        target.out(),
        false,
        (i, column, width, block, scratch) -> target.addB(i, column, width, block, scratch, factor, false));
  }

  void addSquaredNorms(PerSampleSquaredNorm call) {
    LoraSlot slot = call.slot();
    Packing packing = call.packing();
    int r = Math.toIntExact(slot.rank());
    double[] a = squares(jobsOfA(slot, packing, call.kept()), r, Math.toIntExact(slot.in()));
    double[] b = squares(jobsOfB(slot, packing, call.kept()), r, Math.toIntExact(slot.out()));
    MemorySegment out = Cpu.memory(call.norms());
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
        (i, column, used, block, _) -> {
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

  void weightedGradient(WeightedGradient call) {
    Target target = target(call.slot(), call.g());
    int k = target.count();
    int samples = call.packing().count();
    MemorySegment c = Cpu.memory(call.weights());
    float factor = factor(call.slot(), call.scale());
    products.run(
        jobsOfA(call.slot(), call.packing(), call.kept()),
        target.rank(),
        target.in(),
        true,
        (i, column, width, block, _) -> {
          for (int j = 0; j < k; j++) {
            float weight = factor * c.get(FLOAT, 4L * (j * samples + i));
            target.addA(j, column, width, block, weight, true);
          }
        });
    products.run(
        jobsOfB(call.slot(), call.packing(), call.kept()),
        target.rank(),
        target.out(),
        true,
        (i, column, width, block, scratch) -> {
          for (int j = 0; j < k; j++) {
            float weight = factor * c.get(FLOAT, 4L * (j * samples + i));
            target.addB(j, column, width, block, scratch, weight, true);
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

  private void store(Target target, float factor, Job[] a, Job[] b) {
    products.run(
        a,
        target.rank(),
        target.in(),
        false,
        (j, column, width, block, _) -> target.addA(j, column, width, block, factor, true));
    products.run(
        b,
        target.rank(),
        target.out(),
        false,
        (j, column, width, block, scratch) -> target.addB(j, column, width, block, scratch, factor, true));
  }

  /** hᵀxₐ of every sequence. */
  private static Job[] jobsOfA(LoraSlot slot, Packing packing, Kept kept) {
    return jobs(packing, pair(kept.h(), 0, packing.rows(), slot.rank(), kept.xa(), 0, slot.in()));
  }

  /** uᵀȳ of every sequence. */
  private static Job[] jobsOfB(LoraSlot slot, Packing packing, Kept kept) {
    return jobs(packing, pair(kept.u(), 0, packing.rows(), slot.rank(), kept.gy(), 0, slot.out()));
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

  private static float factor(LoraSlot slot, double scale) {
    return (float) (scale * slot.scale());
  }

  private Target target(LoraSlot slot, Tensor g) {
    return new Target(cpu, slot, Cpu.memory(g), Math.toIntExact(g.dim(0)), g.dim(1));
  }

  /** The slot's place in rows of flat gradients (count,length). */
  private record Target(
      Cpu cpu, LoraSlot slot, MemorySegment g, int count, long length) {
    int rank() {
      return Math.toIntExact(slot.rank());
    }

    int in() {
      return Math.toIntExact(slot.in());
    }

    int out() {
      return Math.toIntExact(slot.out());
    }

    /** Ā[:,column…] = factor·block, or that onto what is there. */
    void addA(int row, int column, int width, MemorySegment block, float factor, boolean onto) {
      for (int i = 0; i < rank(); i++) {
        long from = 4L * i * TilePrimitives.WIDE;
        long to = 4 * (row * length + slot.aOffset() + i * slot.in() + column);
        if (onto) {
          cpu.rows().axpby(factor, block, from, 1, g, to, width);
        } else {
          cpu.rows().scale(factor, block, from, g, to, width);
        }
      }
    }

    /** B̄[column…,:] = factor·blockᵀ, or that onto what is there. */
    void addB(int row, int column, int width, MemorySegment block, Scratch scratch, float factor, boolean onto) {
      int r = rank();
      int n = width * r;
      MemorySegment turned = scratch.floats(Slot.TURNED, n);
      cpu.tiles().transpose(r, width, block, 0, 4L * TilePrimitives.WIDE, turned, 0, 4L * r, r);
      long to = 4 * (row * length + slot.bOffset() + (long) column * r);
      if (onto) {
        cpu.rows().scale(factor, turned, 0, turned, 0, n);
        cpu.rows().add(g, to, turned, 0, g, to, n);
      } else {
        cpu.rows().scale(factor, turned, 0, g, to, n);
      }
    }
  }
}
