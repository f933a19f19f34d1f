package dev.lethe.backend;

import dev.lethe.backend.kernel.KernelCall;
import dev.lethe.backend.kernel.Kernels;
import dev.lethe.backend.kernel.operand.FrozenEmbedding;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.tensor.Allocator;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.HostAllocator;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Storage;
import dev.lethe.tensor.Tensor;
import java.util.OptionalLong;

/**
 * Stands for another backend, holds no number and computes nothing: work that runs on it tells in {@link #memoryUse} how
 * much memory it would take there. What is downloaded from it stays as it was.
 */
public final class Rehearsal implements Backend {
  private final Backend real;
  private final Turn turn = new Turn("rehearsal");
  private long live;
  private long peak;

  /**
   * @param real is asked for its formats only
   */
  public Rehearsal(Backend real) {
    this.real = real;
  }

  private record Absent(long byteSize) implements Storage {
    @Override
    public String place() {
      return "rehearsal";
    }
  }

  private record Matrix(long in, long out, boolean transposed) implements FrozenLinear {}

  private record Table(long vocabulary, long width) implements FrozenEmbedding {}

  private final class Counter implements Allocator {
    @Override
    public Storage allocate(long bytes) {
      Absent block = new Absent(HostAllocator.blockSize(bytes));
      live += block.byteSize();
      peak = Math.max(peak, live);
      return block;
    }

    @Override
    public void free(Storage storage) {
      live -= storage.byteSize();
    }
  }

  @Override
  public String name() {
    return real.name();
  }

  @Override
  public String description() {
    return "a rehearsal of " + real.description();
  }

  @Override
  public DType activationType() {
    return real.activationType();
  }

  @Override
  public DType productType() {
    return real.productType();
  }

  @Override
  public DType vectorType() {
    return real.vectorType();
  }

  @Override
  public Allocator allocator() {
    return new Counter();
  }

  @Override
  public Turn turn() {
    return turn;
  }

  @Override
  public void upload(Tensor host, Tensor target) {}

  @Override
  public void download(Tensor source, Tensor host) {}

  @Override
  public FrozenLinear freezeLinear(Tensor weight, Tensor bias, boolean transposed, Scope owner) {
    owner.allocate(DType.U8, real.weightBytes(weight.dtype(), weight.shape()));
    return leaveLinear(weight, bias, transposed, owner);
  }

  @Override
  public FrozenLinear leaveLinear(Tensor weight, Tensor bias, boolean transposed, Scope owner) {
    if (bias != null) {
      owner.allocate(activationType(), bias.shape());
    }
    return new Matrix(weight.dim(1), weight.dim(0), transposed);
  }

  @Override
  public FrozenEmbedding freezeEmbedding(Tensor table, Scope owner) {
    return new Table(table.dim(0), table.dim(1));
  }

  /** No number is read, so there is none to refuse. */
  @Override
  public boolean sawFinite(Tensor host) {
    return true;
  }

  @Override
  public Kernels kernels() {
    throw new IllegalStateException("a rehearsal has no kernels");
  }

  @Override
  public void run(KernelCall call) {}

  @Override
  public boolean rowsIndependent() {
    return real.rowsIndependent();
  }

  @Override
  public boolean takesColumns() {
    return real.takesColumns();
  }

  @Override
  public boolean keepsPacked() {
    return real.keepsPacked();
  }

  @Override
  public boolean leavesWeights() {
    return real.leavesWeights();
  }

  @Override
  public long weightBytes(DType stored, Shape shape) {
    return real.weightBytes(stored, shape);
  }

  @Override
  public OptionalLong freeMemory() {
    return real.freeMemory();
  }

  @Override
  public MemoryUse memoryUse() {
    return new MemoryUse(live, peak);
  }

  @Override
  public void close() {}
}
