package dev.lethe.backend.reference;

import dev.lethe.backend.AttentionKernels;
import dev.lethe.backend.Backend;
import dev.lethe.backend.DropoutKernels;
import dev.lethe.backend.EmbeddingKernels;
import dev.lethe.backend.FrozenEmbedding;
import dev.lethe.backend.FrozenLinear;
import dev.lethe.backend.Kernels;
import dev.lethe.backend.LossKernels;
import dev.lethe.backend.ReplayKernels;
import dev.lethe.backend.RmsNormKernels;
import dev.lethe.backend.RopeKernels;
import dev.lethe.backend.RowKernels;
import dev.lethe.backend.SketchKernels;
import dev.lethe.backend.SwiGluKernels;
import dev.lethe.backend.VectorKernels;
import dev.lethe.tensor.Allocator;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.HostAllocator;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/** Every kernel in float64 and plain Java. All tensors are F64 in host memory; indices are I32. */
public final class ReferenceBackend implements Backend {
  static final String NAME = "reference";
  static final String DESCRIPTION = "float64, scalar Java, one thread";

  private final HostAllocator allocator = new HostAllocator();
  private final EmbeddingKernels embedding = new ReferenceEmbedding();
  private final RmsNormKernels rmsNorm = new ReferenceRmsNorm();
  private final Kernels kernels = new Kernels(new ReferenceLora(), new ReferenceLayerNorm());
  private final RopeKernels rope = new ReferenceRope();
  private final AttentionKernels attention = new ReferenceAttention();
  private final SwiGluKernels swiGlu = new ReferenceSwiGlu();
  private final RowKernels rows = new ReferenceRows();
  private final DropoutKernels dropout = new ReferenceDropout();
  private final LossKernels loss = new ReferenceLoss();
  private final VectorKernels vectors = new ReferenceVectors();
  private final SketchKernels sketch = new ReferenceSketch();
  private final ReplayKernels replay = new ReferenceReplay();

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
  public EmbeddingKernels embedding() {
    return embedding;
  }

  @Override
  public RmsNormKernels rmsNorm() {
    return rmsNorm;
  }

  @Override
  public RopeKernels rope() {
    return rope;
  }

  @Override
  public AttentionKernels attention() {
    return attention;
  }

  @Override
  public SwiGluKernels swiGlu() {
    return swiGlu;
  }

  @Override
  public RowKernels rows() {
    return rows;
  }

  @Override
  public DropoutKernels dropout() {
    return dropout;
  }

  @Override
  public boolean rowsIndependent() {
    return true;
  }

  @Override
  public LossKernels loss() {
    return loss;
  }

  @Override
  public VectorKernels vectors() {
    return vectors;
  }

  @Override
  public SketchKernels sketch() {
    return sketch;
  }

  @Override
  public ReplayKernels replay() {
    return replay;
  }

  @Override
  public MemoryUse memoryUse() {
    return new MemoryUse(allocator.liveBytes(), allocator.peakLiveBytes());
  }

  @Override
  public void close() {
    allocator.close();
  }
}
