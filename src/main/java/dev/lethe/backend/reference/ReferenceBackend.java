package dev.lethe.backend.reference;

import dev.lethe.backend.Backend;
import dev.lethe.backend.Turn;
import dev.lethe.backend.kernel.Kernels;
import dev.lethe.backend.kernel.operand.FrozenEmbedding;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.tensor.Allocator;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.HostAllocator;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/** Every kernel in float64 and plain Java. All tensors are F64 in host memory; indices are I32. */
public final class ReferenceBackend implements Backend {
  static final String NAME = "reference";
  static final String DESCRIPTION = "float64, scalar Java, one thread";

  private final Turn turn = new Turn(NAME);
  private final HostAllocator allocator = new HostAllocator();
  private final Kernels kernels =
      new Kernels(
          new ReferenceEmbedding(),
          new ReferenceRmsNorm(),
          new ReferenceLayerNorm(),
          new ReferenceLora(),
          new ReferenceRope(),
          new ReferenceAttention(),
          new ReferenceGatedUnit(),
          new ReferenceRows(),
          new ReferenceDropout(),
          new ReferenceScaledSum(),
          new ReferenceLoss(),
          new ReferenceVectors(),
          new ReferenceSketch(),
          new ReferenceReplay());

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String description() {
    return DESCRIPTION;
  }

  @Override
  public DType activationType() {
    return DType.F64;
  }

  @Override
  public DType vectorType() {
    return DType.F64;
  }

  @Override
  public Allocator allocator() {
    return allocator;
  }

  @Override
  public Turn turn() {
    return turn;
  }

  @Override
  public void upload(Tensor host, Tensor target) {
    target.copyFrom(host);
  }

  @Override
  public void download(Tensor source, Tensor host) {
    host.copyFrom(source);
  }

  @Override
  public FrozenLinear freezeLinear(Tensor weight, Tensor bias, boolean transposed, Scope owner) {
    return ReferenceLinear.copyOf(weight, bias, transposed, owner);
  }

  @Override
  public FrozenEmbedding freezeEmbedding(Tensor table, Scope owner) {
    return new ReferenceEmbedding.Table(table);
  }

  @Override
  public Kernels kernels() {
    return kernels;
  }

  @Override
  public boolean keepsPacked() {
    return false;
  }

  @Override
  public boolean rowsIndependent() {
    return true;
  }

  @Override
  public MemoryUse memoryUse() {
    return new MemoryUse(allocator.liveBytes(), allocator.peakLiveBytes());
  }

  @Override
  public void close() {
    turn.end(allocator::close);
  }
}
