package dev.lethe.backend.cpu.gemm;

import dev.lethe.ArgumentException;
import dev.lethe.ClosedException;
import dev.lethe.backend.cpu.primitive.Primitives;
import dev.lethe.backend.cpu.primitive.RecordPrimitives;
import dev.lethe.backend.cpu.primitive.RowPrimitives;
import dev.lethe.backend.cpu.primitive.TilePrimitives;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.HostAllocator;
import dev.lethe.tensor.HostStorage;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/** What all kernels of one backend share. */
public final class Cpu implements AutoCloseable {
  /** Elements below which handing work to other threads costs more than it gains. */
  public static final int WORTH_SHARING = 16_384;

  /**
   * Floats of zero at {@link #zeros}, the longest run handled at a time where a null stands for
   * zero.
   */
  public static final int ZEROS = 4096;

  private final Primitives primitives;
  private final HostAllocator allocator = new HostAllocator();
  private final HostAllocator scratchMemory = new HostAllocator();
  private final WorkerPool pool;
  private final Bf16Products products;
  private final Gemm gemm;
  private final MemorySegment zeros;

  public Cpu(Primitives primitives, int threads) {
    this(primitives, null, threads);
  }

  /**
   * @param products what multiplies with frozen weights in bfloat16; null: float32 throughout
   */
  public Cpu(Primitives primitives, Bf16Products products, int threads) {
    this.primitives = primitives;
    this.products = products;
    zeros = ((HostStorage) scratchMemory.allocate(4L * ZEROS)).segment().fill((byte) 0);
    pool = new WorkerPool(threads, new Scratch.Source(scratchMemory));
    gemm = new Gemm(primitives, products, pool, zeros);
  }

  public Primitives primitives() {
    return primitives;
  }

  /** The format of frozen weights, and of what is multiplied with them. */
  public DType productType() {
    return products == null ? DType.F32 : DType.BF16;
  }

  /** What multiplies with frozen weights in bfloat16, or null. */
  public Bf16Products products() {
    return products;
  }

  public RowPrimitives rows() {
    return primitives.rows();
  }

  public TilePrimitives tiles() {
    return primitives.tiles();
  }

  public RecordPrimitives records() {
    return primitives.records();
  }

  /** The memory of tensors; what threads keep for themselves is not part of it. */
  public HostAllocator allocator() {
    return allocator;
  }

  /** Bytes that threads keep for themselves now. */
  public long scratchBytes() {
    return scratchMemory.liveBytes();
  }

  public WorkerPool pool() {
    return pool;
  }

  public Gemm gemm() {
    return gemm;
  }

  /** {@value #ZEROS} zeros, to stand for what is structurally zero. */
  public MemorySegment zeros() {
    return zeros;
  }

  /** A tensor's memory, or zeros. */
  public MemorySegment orZeros(Tensor tensor) {
    return tensor == null ? zeros : memory(tensor);
  }

  /**
   * A tensor's memory. Kernels take off-heap memory only: a second kind would make every access in
   * every inner loop a choice.
   */
  public static MemorySegment memory(Tensor tensor) {
    MemorySegment segment = tensor.segment();
    if (!segment.isNative()) {
      throw new ArgumentException(
          "tensor "
              + tensor
              + " lies on the Java heap; upload it into a scope of this backend first");
    }
    if (!segment.scope().isAlive()) {
      throw new ClosedException("tensor " + tensor, "the backend that it belongs to was closed");
    }
    return segment;
  }

  /** Rows that make a piece of work worth sharing where each costs this many elements. */
  public static int grain(long elementsPerRow) {
    return (int) Math.max(1, WORTH_SHARING / Math.max(1, elementsPerRow));
  }

  @Override
  public void close() {
    pool.close();
    allocator.close();
    scratchMemory.close();
  }
}
