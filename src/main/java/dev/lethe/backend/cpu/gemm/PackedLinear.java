package dev.lethe.backend.cpu.gemm;

import dev.lethe.ArgumentException;
import dev.lethe.backend.cpu.primitive.TilePrimitives;
import dev.lethe.backend.kernel.Require;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A frozen weight W (out,in), in memory once: as panels of floats for x·Wᵀ, which are turned where ȳ·W reads them, or in
 * the format in which it came. Panels of bfloat16, which the processor multiplies, lie there once for each direction.
 *
 * @param bias (out) filled up to a multiple of 32, or null
 * @param forward panels of Wᵀ, for x·Wᵀ
 * @param backward panels of W, for ȳ·W; null where not prepared
 * @param seenFinite whether W was looked at on its way into panels, and all of it is finite
 */
public record PackedLinear(
    long in, long out, Tensor bias, Stored forward, Stored backward, boolean seenFinite) implements FrozenLinear {
  /** Rows are read and turned so many columns at a time, while both copies are in the nearest cache. */
  private static final int AT_A_TIME = 256;

  /** Numbers of a tensor that a thread looks at before it takes others. */
  private static final long LOOKED_AT = 1 << 17;

  /** Panels that lie in memory or are made from what does. */
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

  /** Bytes of a frozen weight that comes in a format. */
  public static long bytes(DType products, DType stored, Shape shape) {
    if (stored.isBlocks()) {
      return stored.byteSize(shape.elements());
    }
    long out = shape.dim(0);
    long in = shape.dim(1);
    long forward = Panels.size(in, out, products);
    return products.bytes() * (products == DType.BF16 ? forward + Panels.size(out, in, products) : forward);
  }

  /** Takes over a weight in the layout that is multiplied fastest, or a copy of one that is packed in blocks. */
  public static PackedLinear pack(Cpu cpu, Tensor weight, Tensor bias, boolean transposed, Scope owner) {
    Require.rank("freezeLinear: weight", weight, 2);
    if (weight.dtype().isBlocks()) {
      Tensor copy = owner.allocate(weight.dtype(), weight.shape());
      copy.copyFrom(weight);
      return left(cpu, copy, bias, transposed, owner);
    }
    return cpu.productType() == DType.BF16
        ? pairs(cpu, weight, bias, transposed, owner)
        : floats(cpu, weight, bias, transposed, owner);
  }

  /** Leaves a weight where it lies. */
  public static PackedLinear left(Cpu cpu, Tensor weight, Tensor bias, boolean transposed, Scope owner) {
    Require.rank("freezeLinear: weight", weight, 2);
    int out = Math.toIntExact(weight.dim(0));
    int in = Math.toIntExact(weight.dim(1));
    Stored forward = () -> Panels.stored(cpu, cpu.productType(), weight, false);
    Stored backward = () -> Panels.stored(cpu, cpu.productType(), weight, true);
    return new PackedLinear(in, out, padded(cpu, bias, out, owner), forward, transposed ? backward : null, false);
  }

  private static PackedLinear floats(Cpu cpu, Tensor weight, Tensor bias, boolean transposed, Scope owner) {
    int out = Math.toIntExact(weight.dim(0));
    int in = Math.toIntExact(weight.dim(1));
    HostFloats source = new HostFloats("freezeLinear: weight", weight, cpu.rows());
    Whole forward = allocate(owner, DType.F32, in, out);
    Panels panels = forward.panels();
    boolean finite = packed(cpu, panels, (p, scratch) -> turnRows(cpu, scratch, source, panels, p));
    Stored backward =
        () -> {
          PanelSource turned = new TurnedPanels(forward.panels(), cpu.tiles());
          return new Panels(null, out, in, DType.F32, turned, 0);
        };
    return new PackedLinear(in, out, padded(cpu, bias, out, owner), forward, transposed ? backward : null, finite);
  }

  /** Fills a panel; whether all of its numbers are finite. */
  @FunctionalInterface
  private interface PanelTask {
    boolean fill(int panel, Scratch scratch);
  }

  /** Fills all panels, on all threads; whether all numbers are finite. */
  private static boolean packed(Cpu cpu, Panels panels, PanelTask task) {
    AtomicBoolean finite = new AtomicBoolean(true);
    cpu.pool()
        .run(
            panels.count(),
            (p, scratch) -> {
              if (!task.fill(p, scratch)) {
                finite.set(false);
              }
            });
    return finite.get();
  }

  /** Whether all numbers of a host tensor were looked at here and are finite: of bfloat16 only, as large models come. */
  public static boolean sawFinite(Cpu cpu, Tensor host) {
    HostFloats numbers = new HostFloats("sawFinite", host, cpu.rows());
    if (!numbers.lieInBf16()) {
      return false;
    }
    AtomicBoolean finite = new AtomicBoolean(true);
    cpu.pool()
        .run(
            Math.toIntExact(Math.ceilDiv(host.elements(), LOOKED_AT)),
            (piece, scratch) -> {
              long first = piece * LOOKED_AT;
              long count = Math.min(LOOKED_AT, host.elements() - first);
              MappedBytes.Place place = numbers.bf16(first, count, scratch);
              if (!cpu.rows().allFiniteBf16(place.segment(), place.offset(), count)) {
                finite.set(false);
              }
            });
    return finite.get();
  }

  /** Rows of W into a panel of Wᵀ. */
  private static boolean turnRows(Cpu cpu, Scratch scratch, HostFloats source, Panels panels, int p) {
    int used = panels.used(p);
    int width = panels.width(p);
    long in = panels.depth();
    long first = (long) p * TilePrimitives.WIDE;
    if (source.lieInBf16()) {
      MappedBytes.Place rows = source.bf16(first * in, used * in, scratch);
      return cpu.tiles()
          .transposeBf16(
              used, panels.depth(), rows.segment(), rows.offset(), 2 * in, panels.segment(), panels.at(p, 0), width,
              false);
    }
    boolean finite = true;
    MemorySegment rows = scratch.floats(Scratch.Slot.EXPANDED_ROWS, (long) used * AT_A_TIME);
    for (int k = 0; k < in; k += AT_A_TIME) {
      int count = (int) Math.min(AT_A_TIME, in - k);
      for (int j = 0; j < used; j++) {
        source.read((first + j) * in + k, count, rows, 4L * j * count);
      }
      finite &= cpu.rows().allFinite(rows, 0, used * count);
      cpu.tiles()
          .transpose(
              used, count, rows, 0, 4L * count, panels.segment(), panels.at(p, k), 4L * width, width);
    }
    return finite;
  }

  private static PackedLinear pairs(Cpu cpu, Tensor weight, Tensor bias, boolean transposed, Scope owner) {
    int out = Math.toIntExact(weight.dim(0));
    int in = Math.toIntExact(weight.dim(1));
    HostFloats source = new HostFloats("freezeLinear: weight", weight, cpu.rows());
    Whole forward = allocate(owner, DType.BF16, in, out);
    Whole backward = transposed ? allocate(owner, DType.BF16, out, in) : null;
    Panels forwards = forward.panels();
    boolean finite =
        packed(
            cpu,
            forwards,
            (p, scratch) -> {
              int used = forwards.used(p);
              MemorySegment rows = scratch.floats(Scratch.Slot.PRODUCT, (long) used * in);
              long first = (long) p * TilePrimitives.WIDE;
              for (int j = 0; j < used; j++) {
                source.read((first + j) * in, in, rows, 4L * j * in);
              }
              Matrix columns = new Matrix(rows, -4 * first * in, 4, 4L * in);
              forwards.pack(cpu.tiles(), p, columns);
              if (backward != null) {
                packBackward(backward.panels(), rows, (int) first, used);
              }
              return cpu.rows().allFinite(rows, 0, used * in);
            });
    return new PackedLinear(in, out, padded(cpu, bias, out, owner), forward, backward, finite);
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

  private static Tensor padded(Cpu cpu, Tensor bias, int out, Scope owner) {
    if (bias == null) {
      return null;
    }
    Require.that(
        bias.elements() == out, "freezeLinear: bias", out + " elements", bias.toString());
    int wide = Math.ceilDiv(out, TilePrimitives.WIDE) * TilePrimitives.WIDE;
    Tensor copy = owner.allocate(DType.F32, wide);
    MemorySegment memory = copy.segment().fill((byte) 0);
    new HostFloats("freezeLinear: bias", bias, cpu.rows()).read(0, out, memory, 0);
    return copy;
  }
}
