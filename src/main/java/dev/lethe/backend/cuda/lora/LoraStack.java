package dev.lethe.backend.cuda.lora;

import dev.lethe.backend.cuda.blas.Operand;
import dev.lethe.backend.cuda.gemm.CudaLinear;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.cuda.launch.Kernel;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.tensor.Tensor;
import java.util.List;
import java.util.Objects;

/**
 * The weights of a group of layers above each other, (O,in), with room for the layers' pairs beside and below: B in
 * columns of its layer's own, A in rows. So both terms of y = xWᵀ + suBᵀ are one product [x|u][W|sB]ᵀ, and those of its
 * adjoint [ȳ|h][W;sA]. O and R are the sums of outputs and ranks.
 */
final class LoraStack {
  /** Layers of a group, as in kernels/lora.cu. */
  static final int MOST_LAYERS = 3;

  private final Cuda cuda;
  private final List<LoraLinear> layers;
  private final Tensor stack;
  private final LoraSlot first;
  private final long in;
  private final long outs;
  private final long ranks;

  private LoraStack(Cuda cuda, List<LoraLinear> layers, Tensor stack) {
    this.cuda = cuda;
    this.layers = layers;
    this.stack = stack;
    this.first = layers.stream().map(LoraLinear::slot).filter(Objects::nonNull).findFirst().orElse(null);
    this.in = layers.getFirst().weight().in();
    this.outs = layers.stream().mapToLong(layer -> layer.weight().out()).sum();
    this.ranks = layers.stream().mapToLong(LoraStack::rank).sum();
  }

  /**
   * The stack of these layers; null where they are not all layers of one in its order, where their pairs do not fit
   * around it, or where their scales differ.
   *
   * @param halves 1 for θ's pairs, 2 for a direction's as well
   */
  static LoraStack of(Cuda cuda, List<LoraLinear> layers, int halves) {
    Tensor stack = CudaLinear.of(layers.getFirst().weight()).stack();
    if (stack == null || layers.size() > MOST_LAYERS) {
      return null;
    }
    LoraStack of = new LoraStack(cuda, layers, stack);
    long row = 0;
    for (LoraLinear layer : layers) {
      CudaLinear linear = CudaLinear.of(layer.weight());
      boolean here =
          linear.stack() == stack
              && Cuda.address(linear.weight()) == Cuda.address(stack) + row * stack.stride() * stack.dtype().bytes();
      if (!here || (layer.hasAdapter() && layer.slot().scale() != of.first.scale())) {
        return null;
      }
      row += linear.out();
    }
    boolean scaled = of.first == null || of.first.scale() != 0;
    boolean fits = row == stack.dim(0) - CudaLinear.BORDER && halves * of.ranks <= CudaLinear.BORDER;
    return scaled && fits ? of : null;
  }

  private static long rank(LoraLinear layer) {
    return layer.hasAdapter() ? layer.slot().rank() : 0;
  }

  long in() {
    return in;
  }

  /** O. */
  long outs() {
    return outs;
  }

  /** R. */
  long ranks() {
    return ranks;
  }

  /** What makes u and h of products with the pairs as {@link #openNarrow} wrote them. */
  double unscaled() {
    return scalesExactly() ? 1 / first.scale() : 1;
  }

  /** Whether sA and sB are A and B to the bit but for their exponents. */
  private boolean scalesExactly() {
    return first != null && Math.scalb(1.0, Math.getExponent(first.scale())) == Math.abs(first.scale());
  }

  /**
   * Writes the pairs around the stack for the narrow products, θ's and, behind them, those of a direction v (1,P), which
   * may be null: sB and sA already, where that rounds nothing twice, else B and A.
   */
  void openNarrow(Tensor theta, Tensor v) {
    write(theta, v, scalesExactly() ? first.scale() : 1);
  }

  /** Makes sB and sA of them, for the wide product. */
  void openWide(Tensor theta, Tensor v) {
    if (!scalesExactly()) {
      write(theta, v, first.scale());
    }
  }

  private void write(Tensor theta, Tensor v, double factor) {
    withLayers(
            cuda.kernel("lora_border")
                .with(theta).with(v).with(stack).with(stack.stride()).with(in).with((float) factor))
        .run(cuda.elements((v == null ? 1 : 2) * ranks * (outs + in)));
  }

  /** A kernel's parameters that tell it of a group. */
  Kernel withLayers(Kernel kernel) {
    for (int i = 0; i < MOST_LAYERS; i++) {
      LoraLinear layer = i < layers.size() ? layers.get(i) : null;
      kernel.with(layer == null ? 0 : layer.weight().out());
      withPlace(kernel, layer == null ? null : layer.slot());
    }
    return kernel;
  }

  /** Those of the layers with a pair. */
  List<LoraSlot> slots() {
    return layers.stream().map(LoraLinear::slot).filter(Objects::nonNull).toList();
  }

  /** Rank and offsets of a pair; zeros where there is none. */
  static void withPlace(Kernel kernel, LoraSlot slot) {
    kernel
        .with(slot == null ? 0 : slot.rank())
        .with(slot == null ? 0 : slot.aOffset())
        .with(slot == null ? 0 : slot.bOffset());
  }

  /** W with what lies around it, (O + …, in + …). */
  Operand whole() {
    return at(0, 0);
  }

  /** B of θ (O,R), or of the direction, as last written. */
  Operand ofB(int half) {
    return at(0, in + half * ranks);
  }

  /** A of θ (R,in), or of the direction, as last written. */
  Operand ofA(int half) {
    return at(outs + half * ranks, 0);
  }

  private Operand at(long row, long column) {
    long element = row * stack.stride() + column;
    return Operand.of(Cuda.address(stack) + element * stack.dtype().bytes(), stack.dtype(), stack.stride());
  }
}
