package dev.lethe.backend.cuda;

import dev.lethe.backend.LoraSlot;
import dev.lethe.backend.cuda.blas.Operand;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/**
 * One adapter's A (r,in) and B (out,r) and their directions, taken out of flat float32 vectors into matrices of the
 * activations' format, scaled and joined as products take them. They live until this is closed.
 */
final class AdapterWeights implements AutoCloseable {
  private final Cuda cuda;
  private final LoraSlot slot;
  private final Scope scope;

  AdapterWeights(Cuda cuda, LoraSlot slot) {
    this.cuda = cuda;
    this.slot = slot;
    this.scope = cuda.scratch("adapter weights");
  }

  /** factor·A of each row of flat (P) or (k,P): (k,r,in). */
  Operand a(Tensor flat, double factor) {
    return part(flat, slot.aOffset(), slot.rank(), slot.in(), factor);
  }

  /** factor·B of each row of flat (P) or (k,P): (k,out,r). */
  Operand b(Tensor flat, double factor) {
    return part(flat, slot.bOffset(), slot.out(), slot.rank(), factor);
  }

  /** s·A above s·Ȧ for each direction: (k,2r,in). */
  Operand pairA(Tensor theta, Tensor v) {
    long k = v.dim(0);
    long size = slot.rank() * slot.in();
    Tensor pair = scope.allocate(cuda.type(), k, 2 * slot.rank(), slot.in());
    Block first = new Block(slot.rank(), slot.in(), slot.in(), 2 * size);
    copy(theta, 0, slot.aOffset(), slot.scale(), pair, 0, first, k);
    copy(v, v.dim(1), slot.aOffset(), slot.scale(), pair, size, first, k);
    return Cuda.matrix(pair);
  }

  /** s·B beside s·Ḃ for each direction: (k,out,2r). */
  Operand pairB(Tensor theta, Tensor v) {
    long k = v.dim(0);
    long r = slot.rank();
    Tensor pair = scope.allocate(cuda.type(), k, slot.out(), 2 * r);
    Block half = new Block(slot.out(), r, 2 * r, 2 * r * slot.out());
    copy(theta, 0, slot.bOffset(), slot.scale(), pair, 0, half, k);
    copy(v, v.dim(1), slot.bOffset(), slot.scale(), pair, r, half, k);
    return Cuda.matrix(pair);
  }

  /** first (k,N,r) beside second (N,r), the same for each direction: (k,N,2r). */
  Operand join(Tensor first, Tensor second) {
    long k = first.dim(0);
    long n = first.dim(1);
    long r = first.dim(2);
    Tensor both = scope.allocate(cuda.type(), k, n, 2 * r);
    cuda.kernel("lora_join")
        .with(first)
        .with(second)
        .with(both)
        .with(k * n)
        .with(n)
        .with(r)
        .run(cuda.elements(both.elements()));
    return Cuda.matrix(both);
  }

  private Operand part(Tensor flat, long offset, long rows, long columns, double factor) {
    boolean many = flat.shape().rank() == 2;
    long k = many ? flat.dim(0) : 1;
    long length = many ? flat.dim(1) : 0;
    if (cuda.type() == DType.F32 && factor == 1) {
      long address = Cuda.address(flat) + offset * DType.F32.bytes();
      return Operand.of(address, DType.F32, columns).every(length);
    }
    Tensor part = scope.allocate(cuda.type(), k, rows, columns);
    Block whole = new Block(rows, columns, columns, rows * columns);
    copy(flat, length, offset, factor, part, 0, whole, k);
    return many ? Cuda.matrix(part) : Cuda.matrix(part.reshape(rows, columns));
  }

  private void copy(
      Tensor flat,
      long flatBatch,
      long offset,
      double factor,
      Tensor target,
      long targetOffset,
      Block block,
      long k) {
    cuda.kernel("lora_weights")
        .with(Cuda.address(flat) + offset * DType.F32.bytes())
        .with(flatBatch)
        .with(Cuda.address(target) + targetOffset * target.dtype().bytes())
        .with(block.stride)
        .with(block.batch)
        .with(block.rows)
        .with(block.columns)
        .with(k)
        .with((float) factor)
        .run(cuda.elements(k * block.rows * block.columns));
  }

  /** Where a part lies in its target: rows by columns, rows a stride apart, directions a batch apart. */
  private record Block(long rows, long columns, long stride, long batch) {}

  @Override
  public void close() {
    scope.close();
  }
}
