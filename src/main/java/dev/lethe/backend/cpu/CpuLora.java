package dev.lethe.backend.cpu;

import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.LoraKernels;
import dev.lethe.backend.LoraLinear;
import dev.lethe.backend.LoraSlot;
import dev.lethe.backend.Packing;
import dev.lethe.backend.Require;
import dev.lethe.backend.cpu.Scratch.Slot;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * The LoRA linear layer. The low-rank terms extend the depth of the frozen product, [x|su][W|B]ᵀ,
 * so that they cost no pass over y of their own.
 */
final class CpuLora implements LoraKernels {
  private final Cpu cpu;
  private final Gemm gemm;
  private final LoraGradients gradients;

  CpuLora(Cpu cpu) {
    this.cpu = cpu;
    this.gemm = cpu.gemm();
    this.gradients = new LoraGradients(cpu);
  }

  @Override
  public void forward(LoraLinear layer, Tensor theta, Tensor x, Tensor xa, Tensor u, Tensor y) {
    PackedLinear w = PackedLinear.of(layer.weight());
    Require.rank("lora.forward: x", x, 2);
    long n = x.dim(0);
    Require.tensor("lora.forward: x", x, F32, n, w.in());
    Require.tensor("lora.forward: y", y, F32, n, w.out());
    Sum out = new Sum(n, w.start(gemm));
    out.add(matrix(x, 0, n, w.in()), w.forward().panels());
    if (layer.hasAdapter()) {
      LoraSlot slot = requireFit("lora.forward", layer.slot(), w);
      Require.tensor("lora.forward: xa", xa, F32, n, w.in());
      Require.tensor("lora.forward: u", u, F32, n, slot.rank());
      LowRank t = lowRank("lora.forward: theta", slot, theta, 0);
      new Sum(n, gemm.zero())
          .add(matrix(xa, 0, n, w.in()), t.down(Slot.LOW_A))
          .into(matrix(u, 0, n, slot.rank()));
      out.add(scaled(slot, u, 0, n, Slot.SCALED_A), t.up(Slot.LOW_B));
    }
    out.into(matrix(y, 0, n, w.out()));
  }

  @Override
  public void tangent(
      LoraLinear layer,
      Tensor theta,
      Tensor v,
      Tensor xa,
      Tensor u,
      Tensor dx,
      Tensor dxa,
      Tensor du,
      Tensor dy) {
    PackedLinear w = PackedLinear.of(layer.weight());
    Require.rank("lora.tangent: dy", dy, 3);
    long k = dy.dim(0);
    long n = dy.dim(1);
    Require.tensor("lora.tangent: dy", dy, F32, k, n, w.out());
    Require.tensorOrNull("lora.tangent: dx", dx, F32, k, n, w.in());
    Require.tensorOrNull("lora.tangent: dxa", dxa, F32, k, n, w.in());
    LoraSlot slot = layer.slot();
    if (slot != null) {
      requireFit("lora.tangent", slot, w);
      Require.tensor("lora.tangent: xa", xa, F32, n, w.in());
      Require.tensor("lora.tangent: u", u, F32, n, slot.rank());
      Require.tensor("lora.tangent: du", du, F32, k, n, slot.rank());
      requireDirections("lora.tangent: v", v, k);
    }
    Tensor dIn = dxa == null ? dx : dxa;
    for (int j = 0; j < k; j++) {
      Sum out = new Sum(n, gemm.zero());
      if (dx != null) {
        out.add(matrix(dx, j, n, w.in()), w.forward().panels());
      }
      if (slot != null) {
        LowRank t = lowRank("lora.tangent: theta", slot, theta, 0);
        LowRank dt = lowRank("lora.tangent: v", slot, v, j);
        Sum low = new Sum(n, gemm.zero());
        if (dIn != null) {
          low.add(matrix(dIn, j, n, w.in()), t.down(Slot.LOW_A));
        }
        low.add(matrix(xa, 0, n, w.in()), dt.down(Slot.LOW_B));
        low.into(matrix(du, j, n, slot.rank()));
        out.add(scaled(slot, du, j, n, Slot.SCALED_A), t.up(Slot.LOW_C));
        out.add(scaled(slot, u, 0, n, Slot.SCALED_B), dt.up(Slot.LOW_D));
      }
      out.into(matrix(dy, j, n, w.out()));
    }
  }

  @Override
  public void backward(
      LoraLinear layer,
      Tensor theta,
      Tensor gy,
      Tensor h,
      Tensor gx,
      Tensor gxa,
      boolean accumulate) {
    PackedLinear w = PackedLinear.of(layer.weight());
    Require.rank("lora.backward: gy", gy, 3);
    long k = gy.dim(0);
    long n = gy.dim(1);
    Require.tensor("lora.backward: gy", gy, F32, k, n, w.out());
    LoraSlot slot = requireAdjoints("lora.backward", layer, w, k, n, gx, gxa);
    if (slot != null) {
      Require.tensor("lora.backward: h", h, F32, k, n, slot.rank());
    }
    for (int j = 0; j < k; j++) {
      List<Low> low = new ArrayList<>(1);
      if (slot != null) {
        LowRank t = lowRank("lora.backward: theta", slot, theta, 0);
        new Sum(n, gemm.zero())
            .add(matrix(gy, j, n, w.out()), t.back(Slot.LOW_A))
            .into(matrix(h, j, n, slot.rank()));
        low.add(new Low(scaled(slot, h, j, n, Slot.SCALED_A), t.across(Slot.LOW_B)));
      }
      inputAdjoints("lora.backward", w, gy, j, n, low, gx, gxa, accumulate);
    }
  }

  @Override
  public void backwardTangent(
      LoraLinear layer,
      Tensor theta,
      Tensor v,
      Tensor gy,
      Tensor h,
      Tensor dgy,
      Tensor dh,
      Tensor dgx,
      Tensor dgxa,
      boolean accumulate) {
    PackedLinear w = PackedLinear.of(layer.weight());
    long k = directions("lora.backwardTangent", dgy, dh, dgx);
    Require.rank("lora.backwardTangent: gy", gy, 2);
    long n = gy.dim(0);
    Require.tensor("lora.backwardTangent: gy", gy, F32, n, w.out());
    Require.tensorOrNull("lora.backwardTangent: dgy", dgy, F32, k, n, w.out());
    LoraSlot slot = requireAdjoints("lora.backwardTangent", layer, w, k, n, dgx, dgxa);
    if (slot != null) {
      Require.tensor("lora.backwardTangent: h", h, F32, n, slot.rank());
      Require.tensor("lora.backwardTangent: dh", dh, F32, k, n, slot.rank());
      requireDirections("lora.backwardTangent: v", v, k);
    }
    for (int j = 0; j < k; j++) {
      List<Low> low = new ArrayList<>(2);
      if (slot != null) {
        LowRank t = lowRank("lora.backwardTangent: theta", slot, theta, 0);
        LowRank dt = lowRank("lora.backwardTangent: v", slot, v, j);
        Sum down = new Sum(n, gemm.zero());
        if (dgy != null) {
          down.add(matrix(dgy, j, n, w.out()), t.back(Slot.LOW_A));
        }
        down.add(matrix(gy, 0, n, w.out()), dt.back(Slot.LOW_B));
        down.into(matrix(dh, j, n, slot.rank()));
        low.add(new Low(scaled(slot, dh, j, n, Slot.SCALED_A), t.across(Slot.LOW_C)));
        low.add(new Low(scaled(slot, h, 0, n, Slot.SCALED_B), dt.across(Slot.LOW_D)));
      }
      inputAdjoints("lora.backwardTangent", w, dgy, j, n, low, dgx, dgxa, accumulate);
    }
  }

  @Override
  public void gradient(
      LoraSlot slot, Tensor xa, Tensor u, Tensor h, Tensor gy, double scale, Tensor g) {
    gradients.gradient(slot, xa, u, h, gy, scale, g);
  }

  @Override
  public void gradientTangent(
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
    gradients.gradientTangent(slot, xa, u, dxa, du, h, gy, dh, dgy, scale, g);
  }

  @Override
  public void perSampleGradient(
      LoraSlot slot,
      Packing packing,
      Tensor xa,
      Tensor u,
      Tensor h,
      Tensor gy,
      double scale,
      Tensor g) {
    gradients.perSampleGradient(slot, packing, xa, u, h, gy, scale, g);
  }

  @Override
  public void perSampleSquaredNorm(
      LoraSlot slot, Packing packing, Tensor xa, Tensor u, Tensor h, Tensor gy, Tensor norms) {
    gradients.addSquaredNorms(slot, packing, xa, u, h, gy, norms);
  }

  @Override
  public void perSampleDot(
      LoraSlot slot,
      Packing packing,
      Tensor v,
      Tensor xa,
      Tensor u,
      Tensor h,
      Tensor gy,
      Tensor dots) {
    long n = LoraGradients.requireSamples("lora.perSampleDot", slot, packing, xa, u, h, gy);
    Require.rank("lora.perSampleDot: dots", dots, 2);
    long k = dots.dim(0);
    Require.tensor("lora.perSampleDot: dots", dots, F32, k, packing.count());
    requireDirections("lora.perSampleDot: v", v, k);
    MemorySegment product = cpu.pool().callersScratch().floats(Slot.PRODUCT, n * slot.rank());
    Matrix out = Matrix.rows(product, slot.rank());
    for (int j = 0; j < k; j++) {
      LowRank dt = lowRank("lora.perSampleDot: v", slot, v, j);
      new Sum(n, gemm.zero()).add(matrix(xa, 0, n, slot.in()), dt.down(Slot.LOW_A)).into(out);
      gradients.addRowDots(slot, packing, product, Cpu.memory(h), dots, j);
      new Sum(n, gemm.zero()).add(matrix(gy, 0, n, slot.out()), dt.back(Slot.LOW_A)).into(out);
      gradients.addRowDots(slot, packing, product, Cpu.memory(u), dots, j);
    }
  }

  @Override
  public void weightedGradient(
      LoraSlot slot,
      Packing packing,
      Tensor weights,
      Tensor xa,
      Tensor u,
      Tensor h,
      Tensor gy,
      double scale,
      Tensor g) {
    gradients.weightedGradient(slot, packing, weights, xa, u, h, gy, scale, g);
  }

  /** x̄ = ȳW + low, or x̄ = ȳW and x̄ₐ = low where the adapter has an input of its own. */
  private void inputAdjoints(
      String operation,
      PackedLinear w,
      Tensor gy,
      int j,
      long n,
      List<Low> low,
      Tensor gx,
      Tensor gxa,
      boolean accumulate) {
    if (gx != null) {
      Matrix c = matrix(gx, j, n, w.in());
      Sum in = new Sum(n, accumulate ? c : gemm.zero());
      if (gy != null) {
        in.add(matrix(gy, j, n, w.out()), w.backwardPanels(operation));
      }
      if (gxa == null) {
        low.forEach(term -> in.add(term.left(), term.right()));
      }
      in.into(c);
    }
    if (gxa != null) {
      Require.that(!low.isEmpty(), operation + ": adjoint of xa", "null without an adapter", gxa);
      Sum in = new Sum(n, gemm.zero());
      low.forEach(term -> in.add(term.left(), term.right()));
      in.into(matrix(gxa, j, n, w.in()));
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

  private LowRank lowRank(String what, LoraSlot slot, Tensor vectors, int row) {
    long length = vectors.dim(-1);
    Require.that(
        Math.max(
                slot.aOffset() + slot.rank() * slot.in(),
                slot.bOffset() + slot.rank() * slot.out())
            <= length,
        what,
        "a vector that holds " + slot,
        length + " elements");
    return new LowRank(
        cpu.pool().callersScratch(), slot, Cpu.memory(vectors), 4 * row * length);
  }

  private static Matrix matrix(Tensor tensor, int direction, long n, long columns) {
    return Matrix.rows(Cpu.memory(tensor), 4 * direction * n * columns, columns);
  }

  private static LoraSlot requireAdjoints(
      String operation, LoraLinear layer, PackedLinear w, long k, long n, Tensor gx, Tensor gxa) {
    Require.tensorOrNull(operation + ": adjoint of x", gx, F32, k, n, w.in());
    Require.tensorOrNull(operation + ": adjoint of xa", gxa, F32, k, n, w.in());
    return layer.hasAdapter() ? requireFit(operation, layer.slot(), w) : null;
  }

  private static void requireDirections(String what, Tensor v, long k) {
    Require.rank(what, v, 2);
    Require.tensor(what, v, F32, k, v.dim(1));
  }

  /** The leading k of whichever of these is there. */
  private static long directions(String operation, Tensor... candidates) {
    for (Tensor candidate : candidates) {
      if (candidate != null) {
        Require.rank(operation + ": tangents", candidate, 3);
        return candidate.dim(0);
      }
    }
    return 0;
  }

  private static LoraSlot requireFit(String operation, LoraSlot slot, PackedLinear w) {
    Require.that(
        slot.in() == w.in() && slot.out() == w.out(),
        operation + ": slot",
        "an adapter of " + w.in() + " inputs and " + w.out() + " outputs",
        slot);
    return slot;
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
