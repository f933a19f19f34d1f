package dev.lethe.backend.cpu.gemm;

import dev.lethe.ArgumentException;
import dev.lethe.backend.cpu.primitive.TilePrimitives;
import dev.lethe.backend.kernel.FrozenLinear;
import dev.lethe.backend.kernel.Require;
import dev.lethe.tensor.BlockFormat;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * A frozen weight W (out,in) as panels of floats, or of bfloat16 where those are multiplied, once for
 * each direction that will be needed; or packed in blocks as it came, once for both.
 *
 * @param bias (out) filled up to a multiple of 32, or null
 * @param forward panels of Wᵀ, for x·Wᵀ
 * @param backward panels of W, for ȳ·W; null where not prepared
 */
public record PackedLinear(long in, long out, Tensor bias, Stored forward, Stored backward)
    implements FrozenLinear {
  /** Panels that lie in memory or are expanded from it. */
  @FunctionalInterface
  public interface Stored {
    Panels panels();
  }

  /** Panels and the tensor that keeps their memory. */
  private record Whole(Tensor memory, int depth, int columns) implements Stored {
    @Override
    public Panels panels() {
      return new Panels(memory.segment(), depth, columns, memory.dtype());
    }
  }

  @Override
  public boolean transposed() {
    return backward != null;
  }

  /** What C starts from in a forward product. */
  public Matrix start(Gemm gemm) {
    return bias == null ? gemm.zero() : new Matrix(bias.segment(), 0, 0, 4);
  }

  public static PackedLinear of(FrozenLinear weight) {
    if (weight instanceof PackedLinear packed) {
      return packed;
    }
    throw new ArgumentException(
        "weight: expected one frozen by the cpu backend, got " + weight.getClass().getName());
  }

  public static PackedLinear pack(Cpu cpu, Tensor weight, Tensor bias, boolean transposed, Scope owner) {
    Require.rank("freezeLinear: weight", weight, 2);
    int out = Math.toIntExact(weight.dim(0));
    int in = Math.toIntExact(weight.dim(1));
    if (weight.dtype().isBlocks()) {
      return inBlocks(cpu, weight, bias, transposed, owner);
    }
    HostFloats source = new HostFloats("freezeLinear: weight", weight);
    DType type = cpu.productType();
    Whole forward = allocate(owner, type, in, out);
    Whole backward = transposed ? allocate(owner, type, out, in) : null;
    Panels forwards = forward.panels();
    cpu.pool()
        .run(
            forwards.count(),
            (p, scratch) -> {
              int used = forwards.used(p);
              MemorySegment rows = scratch.floats(Scratch.Slot.PRODUCT, (long) used * in);
              long first = (long) p * TilePrimitives.WIDE;
              for (int j = 0; j < used; j++) {
                source.read((first + j) * in, in, rows, 4L * j * in);
              }
              Matrix columns = new Matrix(rows, -4 * first * in, 4, 4L * in);
              forwards.pack(p, columns);
              if (backward != null) {
                packBackward(backward.panels(), rows, (int) first, used);
              }
            });
    return new PackedLinear(in, out, padded(bias, out, owner), forward, backward);
  }

  /** A copy of the blocks, from which products expand what they read. */
  private static PackedLinear inBlocks(
      Cpu cpu, Tensor weight, Tensor bias, boolean transposed, Scope owner) {
    int out = Math.toIntExact(weight.dim(0));
    int in = Math.toIntExact(weight.dim(1));
    Tensor copy = owner.allocate(weight.dtype(), weight.shape());
    copy.copyFrom(weight);
    BlockFormat format = weight.dtype().blocks();
    Stored forward =
        () -> {
          BlockWeight blocks = new BlockWeight(copy.segment(), format, in, cpu.tiles(), false);
          return new Panels(null, in, out, cpu.productType(), blocks, 0);
        };
    Stored backward =
        () -> {
          BlockWeight blocks = new BlockWeight(copy.segment(), format, in, cpu.tiles(), true);
          return new Panels(null, out, in, cpu.productType(), blocks, 0);
        };
    return new PackedLinear(in, out, padded(bias, out, owner), forward, transposed ? backward : null);
  }

  /** Rows {@code first … first+count-1} of W into all panels of W. */
  private static void packBackward(Panels panels, MemorySegment rows, int first, int count) {
    for (int p = 0; p < panels.count(); p++) {
      int used = panels.used(p);
      for (int j = 0; j < count; j++) {
        long from = 4L * ((long) j * panels.columns() + (long) p * TilePrimitives.WIDE);
        panels.put(p, first + j, used, rows, from);
      }
    }
  }

  private static Whole allocate(Scope owner, DType type, int depth, int columns) {
    return new Whole(owner.allocate(type, Panels.size(depth, columns, type)), depth, columns);
  }

  private static Tensor padded(Tensor bias, int out, Scope owner) {
    if (bias == null) {
      return null;
    }
    Require.that(
        bias.elements() == out, "freezeLinear: bias", out + " elements", bias.toString());
    int wide = Math.ceilDiv(out, TilePrimitives.WIDE) * TilePrimitives.WIDE;
    Tensor copy = owner.allocate(DType.F32, wide);
    MemorySegment memory = copy.segment().fill((byte) 0);
    new HostFloats("freezeLinear: bias", bias).read(0, out, memory, 0);
    return copy;
  }
}
