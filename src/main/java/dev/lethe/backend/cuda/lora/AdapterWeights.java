package dev.lethe.backend.cuda.lora;

import dev.lethe.backend.cuda.blas.Operand;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/**
 * One adapter's A (r,in) and B (out,r) and their directions, taken out of flat float32 vectors by
 * one launch into matrices of the activations' format: one of the two plain, for the product with
 * the wide matrix; the other scaled, for the product with the narrow one, where θ's and a
 * direction's are joined into one matrix of twice the rank. They live until this is closed.
 */
final class AdapterWeights implements AutoCloseable {
  private final Cuda cuda;
  private final LoraSlot slot;
  private final Scope scope;
  private final boolean plainA;
  private final int own;
  private final long k;
  private final Tensor plain;
  private final Tensor scaled;

  private AdapterWeights(
      Cuda cuda, LoraSlot slot, boolean plainA, Tensor theta, Tensor v, double factor) {
    this.cuda = cuda;
    this.slot = slot;
    this.plainA = plainA;
    own = theta == null ? 0 : 1;
    k = v == null ? 0 : v.dim(0);
    scope = cuda.scratch("adapter weights");
    long sizeA = slot.rank() * slot.in();
    long sizeB = slot.rank() * slot.out();
    plain = scope.allocate(cuda.type(), own + k, plainA ? sizeA : sizeB);
    scaled = scope.allocate(cuda.type(), Math.max(1, k), halves() * (plainA ? sizeB : sizeA));
    cuda.kernel("lora_adapter")
        .with(theta).with(v).with(v == null ? 0 : v.dim(1)).with(k).with(plain)
        .with(plainA ? slot.aOffset() : slot.bOffset()).with(plain.dim(1)).with(scaled)
        .with(plainA ? slot.bOffset() : slot.aOffset()).with(plainA ? slot.out() : slot.rank())
        .with(plainA ? slot.rank() : slot.in()).with(scaledStride())
        .with(plainA ? slot.rank() : sizeA).with((float) factor)
        .run(cuda.elements(plain.elements() + scaled.elements()));
  }

  /** A plain and factor·B, of θ (P), directions v (k,P) or both; either may be null. */
  static AdapterWeights plainA(Cuda cuda, LoraSlot slot, Tensor theta, Tensor v, double factor) {
    return new AdapterWeights(cuda, slot, true, theta, v, factor);
  }

  /** B plain and factor·A, of θ (P), directions v (k,P) or both; either may be null. */
  static AdapterWeights plainB(Cuda cuda, LoraSlot slot, Tensor theta, Tensor v, double factor) {
    return new AdapterWeights(cuda, slot, false, theta, v, factor);
  }

  /** θ's A (r,in) or B (out,r). */
  Operand plain() {
    return Operand.of(Cuda.address(plain), cuda.type(), plainStride());
  }

  /** The directions' A (k,r,in) or B (k,out,r). */
  Operand plainDirections() {
    long address = Cuda.address(plain) + own * plain.dim(1) * cuda.type().bytes();
    return Operand.of(address, cuda.type(), plainStride()).every(plain.dim(1));
  }

  /**
   * factor·B (out,r) or factor·A (r,in) of θ, or of each direction; of θ and each direction side by
   * side (k,out,2r) or one above the other (k,2r,in).
   */
  Operand scaled() {
    return Operand.of(Cuda.address(scaled), cuda.type(), scaledStride())
        .every(k == 0 ? 0 : scaled.dim(1));
  }

  /** first (k,N,r) beside second (N,r), the same for each direction: (k,N,2r). */
  Operand join(Tensor first, Tensor second) {
    long directions = first.dim(0);
    long n = first.dim(1);
    long r = first.dim(2);
    Tensor both = scope.allocate(cuda.type(), directions, n, 2 * r);
    cuda.kernel("lora_join")
        .with(first).with(first.stride()).with(second).with(second.stride()).with(both).with(directions * n).with(n).with(r)
        .run(cuda.elements(both.elements()));
    return Cuda.matrix(both);
  }

  private long halves() {
    return own == 1 && k > 0 ? 2 : 1;
  }

  private long plainStride() {
    return plainA ? slot.in() : slot.rank();
  }

  private long scaledStride() {
    return plainA ? halves() * slot.rank() : slot.in();
  }

  @Override
  public void close() {
    scope.close();
  }
}
