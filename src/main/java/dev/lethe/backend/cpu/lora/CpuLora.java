package dev.lethe.backend.cpu.lora;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.gemm.Gemm;
import dev.lethe.backend.cpu.gemm.Matrix;
import dev.lethe.backend.cpu.gemm.PackedLinear;
import dev.lethe.backend.cpu.gemm.Panels;
import dev.lethe.backend.cpu.gemm.Scratch.Slot;
import dev.lethe.backend.kernel.LoraKernels;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The LoRA linear layer. The low-rank terms extend the depth of the frozen product, [x|su][W|B]ᵀ,
 * so that they cost no pass over y of their own.
 */
public final class CpuLora implements LoraKernels {
  private final Cpu cpu;
  private final Gemm gemm;
  private final CpuLoraGradients gradients;

  public CpuLora(Cpu cpu) {
    this.cpu = cpu;
    this.gemm = cpu.gemm();
    this.gradients = new CpuLoraGradients(cpu);
  }

  @Override
  public void forward(Forward call) {
    PackedLinear w = PackedLinear.of(call.layer().weight());
    LoraSlot slot = call.layer().slot();
    long n = call.x().dim(0);
    Sum out = new Sum(n, w.start(gemm));
    out.add(matrix(call.x(), 0, n, w.in()), w.forward().panels());
    if (slot != null) {
      LowRank t = lowRank(slot, call.theta(), 0);
      new Sum(n, gemm.zero())
          .add(matrix(call.xa(), 0, n, w.in()), t.down(Slot.LOW_A))
          .into(matrix(call.u(), 0, n, slot.rank()));
      out.add(scaled(slot, call.u(), 0, n, Slot.SCALED_A), t.up(Slot.LOW_B));
    }
    out.into(matrix(call.y(), 0, n, w.out()));
  }

  @Override
  public void tangent(Tangent call) {
    PackedLinear w = PackedLinear.of(call.layer().weight());
    LoraSlot slot = call.layer().slot();
    long k = call.dy().dim(0);
    long n = call.dy().dim(1);
    Tensor dx = call.in().dx();
    Tensor dxa = call.in().ofAdapter();
    for (int j = 0; j < k; j++) {
      Sum out = new Sum(n, gemm.zero());
      if (dx != null) {
        out.add(matrix(dx, j, n, w.in()), w.forward().panels());
      }
      if (slot != null) {
        LowRank t = lowRank(slot, call.theta(), 0);
        LowRank dt = lowRank(slot, call.v(), j);
        Sum low = new Sum(n, gemm.zero());
        if (dxa != null) {
          low.add(matrix(dxa, j, n, w.in()), t.down(Slot.LOW_A));
        }
        low.add(matrix(call.xa(), 0, n, w.in()), dt.down(Slot.LOW_B));
        low.into(matrix(call.du(), j, n, slot.rank()));
        out.add(scaled(slot, call.du(), j, n, Slot.SCALED_A), t.up(Slot.LOW_C));
        out.add(scaled(slot, call.u(), 0, n, Slot.SCALED_B), dt.up(Slot.LOW_D));
      }
      out.into(matrix(call.dy(), j, n, w.out()));
    }
  }

  @Override
  public void backward(Backward call) {
    PackedLinear w = PackedLinear.of(call.layer().weight());
    LoraSlot slot = call.layer().slot();
    Tensor gy = call.gy();
    long k = gy.dim(0);
    long n = gy.dim(1);
    for (int j = 0; j < k; j++) {
      List<Low> low = new ArrayList<>(1);
      if (slot != null) {
        LowRank t = lowRank(slot, call.theta(), 0);
        new Sum(n, gemm.zero())
            .add(matrix(gy, j, n, w.out()), t.back(Slot.LOW_A))
            .into(matrix(call.h(), j, n, slot.rank()));
        low.add(new Low(scaled(slot, call.h(), j, n, Slot.SCALED_A), t.across(Slot.LOW_B)));
      }
      inputAdjoints(w, gy, j, n, low, call.in());
    }
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    PackedLinear w = PackedLinear.of(call.layer().weight());
    LoraSlot slot = call.layer().slot();
    Tensor dgy = call.dgy();
    long k = call.directions();
    long n = call.rows();
    for (int j = 0; j < k; j++) {
      List<Low> low = new ArrayList<>(2);
      if (slot != null) {
        LowRank t = lowRank(slot, call.theta(), 0);
        LowRank dt = lowRank(slot, call.v(), j);
        Sum down = new Sum(n, gemm.zero());
        if (dgy != null) {
          down.add(matrix(dgy, j, n, w.out()), t.back(Slot.LOW_A));
        }
        down.add(matrix(call.gy(), 0, n, w.out()), dt.back(Slot.LOW_B));
        down.into(matrix(call.dh(), j, n, slot.rank()));
        low.add(new Low(scaled(slot, call.dh(), j, n, Slot.SCALED_A), t.across(Slot.LOW_C)));
        low.add(new Low(scaled(slot, call.h(), 0, n, Slot.SCALED_B), dt.across(Slot.LOW_D)));
      }
      inputAdjoints(w, dgy, j, n, low, call.in());
    }
  }

  @Override
  public void gradient(Gradient call) {
    gradients.gradient(call);
  }

  @Override
  public void gradientTangent(GradientTangent call) {
    gradients.gradientTangent(call);
  }

  @Override
  public void perSampleGradient(PerSampleGradient call) {
    gradients.perSampleGradient(call);
  }

  @Override
  public void perSampleSquaredNorm(PerSampleSquaredNorm call) {
    gradients.addSquaredNorms(call);
  }

  @Override
  public void perSampleDot(PerSampleDot call) {
    LoraSlot slot = call.slot();
    Packing packing = call.packing();
    Kept kept = call.kept();
    long n = packing.rows();
    long k = call.dots().dim(0);
    MemorySegment product = cpu.pool().callersScratch().floats(Slot.PRODUCT, n * slot.rank());
    Matrix out = Matrix.rows(product, slot.rank());
    for (int j = 0; j < k; j++) {
      LowRank dt = lowRank(slot, call.v(), j);
      new Sum(n, gemm.zero())
          .add(matrix(kept.xa(), 0, n, slot.in()), dt.down(Slot.LOW_A))
          .into(out);
      gradients.addRowDots(slot, packing, product, Cpu.memory(kept.h()), call.dots(), j);
      new Sum(n, gemm.zero())
          .add(matrix(kept.gy(), 0, n, slot.out()), dt.back(Slot.LOW_A))
          .into(out);
      gradients.addRowDots(slot, packing, product, Cpu.memory(kept.u()), call.dots(), j);
    }
  }

  @Override
  public void weightedGradient(WeightedGradient call) {
    gradients.weightedGradient(call);
  }

  /** x̄ = ȳW + low, or x̄ = ȳW and x̄ₐ = low where the adapter has an input of its own. */
  private void inputAdjoints(
      PackedLinear w, Tensor gy, int j, long n, List<Low> low, InputAdjoint to) {
    if (to.gx() != null) {
      Matrix c = matrix(to.gx(), j, n, w.in());
      Sum in = new Sum(n, to.accumulate() ? c : gemm.zero());
      if (gy != null) {
        in.add(matrix(gy, j, n, w.out()), w.backward().panels());
      }
      if (to.gxa() == null) {
        low.forEach(term -> in.add(term.left(), term.right()));
      }
      in.into(c);
    }
    if (to.gxa() != null) {
      Sum in = new Sum(n, gemm.zero());
      low.forEach(term -> in.add(term.left(), term.right()));
      in.into(matrix(to.gxa(), j, n, w.in()));
    }
  }

  /** s·x for the rows of a low-rank tensor, direction j. */
  private Matrix scaled(LoraSlot slot, Tensor x, int j, long n, Slot place) {
    int r = Math.toIntExact(slot.rank());
    MemorySegment from = Cpu.memory(x);
    MemorySegment to = cpu.pool().callersScratch().floats(place, n * r);
    long base = 4L * j * n * r;
    float s = (float) slot.scale();
    cpu.pool()
        .runRanges(
            Math.toIntExact(n),
            Cpu.grain(r),
            (first, end, scratch) ->
                cpu.rows()
                    .scale(
                        s, from, base + 4L * first * r, to, 4L * first * r, (end - first) * r));
    return Matrix.rows(to, r);
  }

  private LowRank lowRank(LoraSlot slot, Tensor vectors, int row) {
    return new LowRank(
        cpu.tiles(), cpu.pool().callersScratch(), slot, Cpu.memory(vectors), 4 * row * vectors.dim(-1));
  }

  private static Matrix matrix(Tensor tensor, int direction, long n, long columns) {
    return Matrix.rows(Cpu.memory(tensor), 4 * direction * n * columns, columns);
  }

  private record Low(Matrix left, Panels right) {}

  /** A sum of products over n rows. */
  private final class Sum {
    private final int n;
    private final Matrix start;
    private final List<Gemm.Term> terms = new ArrayList<>(3);

    Sum(long n, Matrix start) {
      this.n = Math.toIntExact(n);
      this.start = start;
    }

    Sum add(Matrix left, Panels right) {
      terms.add(new Gemm.Term(left, right));
      return this;
    }

    void into(Matrix c) {
      if (!terms.isEmpty()) {
        gemm.run(n, c, start, terms.toArray(Gemm.Term[]::new));
      } else if (start == gemm.zero()) {
        long columns = c.rowStride() / 4;
        c.segment().asSlice(c.offset(), 4 * n * columns).fill((byte) 0);
      }
    }
  }
}
