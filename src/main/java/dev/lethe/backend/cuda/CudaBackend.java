package dev.lethe.backend.cuda;

import dev.lethe.backend.AttentionKernels;
import dev.lethe.backend.Backend;
import dev.lethe.backend.DropoutKernels;
import dev.lethe.backend.EmbeddingKernels;
import dev.lethe.backend.FrozenEmbedding;
import dev.lethe.backend.FrozenLinear;
import dev.lethe.backend.Kernels;
import dev.lethe.backend.LossKernels;
import dev.lethe.backend.Recording;
import dev.lethe.backend.ReplayKernels;
import dev.lethe.backend.Require;
import dev.lethe.backend.RmsNormKernels;
import dev.lethe.backend.RopeKernels;
import dev.lethe.backend.RowKernels;
import dev.lethe.backend.SketchKernels;
import dev.lethe.backend.SwiGluKernels;
import dev.lethe.backend.VectorKernels;
import dev.lethe.tensor.Allocator;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.OptionalLong;

/** Every kernel on a CUDA device, with activations in float32 or bfloat16. */
final class CudaBackend implements Backend {
  static final String NAME = "cuda";

  private final Cuda cuda;
  private final EmbeddingKernels embedding;
  private final RmsNormKernels rmsNorm;
  private final Kernels kernels;
  private final RopeKernels rope;
  private final AttentionKernels attention;
  private final SwiGluKernels swiGlu;
  private final RowKernels rows;
  private final DropoutKernels dropout;
  private final LossKernels loss;
  private final VectorKernels vectors;
  private final SketchKernels sketch;
  private final ReplayKernels replay;

  /**
   * @param cuda closed with this
   */
  CudaBackend(Cuda cuda) {
    this.cuda = cuda;
    embedding = new CudaEmbedding(cuda);
    rmsNorm = new CudaRmsNorm(cuda);
    kernels = new Kernels(new CudaLora(cuda), new CudaLayerNorm(cuda));
    rope = new CudaRope(cuda);
    attention = new CudaAttention(cuda);
    swiGlu = new CudaSwiGlu(cuda);
    rows = new CudaRows(cuda);
    dropout = new CudaDropout(cuda);
    loss = new CudaLoss(cuda);
    vectors = new CudaVectors(cuda);
    sketch = new CudaSketch(cuda);
    replay = new CudaReplay(cuda);
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String description() {
    return "%s, %s, products by %s"
        .formatted(
            cuda.type() == DType.BF16 ? "bfloat16" : "float32",
            cuda.device().description(),
            cuda.products().description());
  }

  @Override
  public DType activationType() {
    return cuda.type();
  }

  @Override
  public DType vectorType() {
    return DType.F32;
  }

  @Override
  public Allocator allocator() {
    return cuda.allocator();
  }

  @Override
  public void upload(Tensor host, Tensor target) {
    cuda.transfers().upload(host, target);
  }

  @Override
  public void download(Tensor source, Tensor host) {
    cuda.transfers().download(source, host);
  }

  @Override
  public FrozenLinear freezeLinear(Tensor weight, Tensor bias, boolean transposed, Scope owner) {
    Require.rank("freezeLinear: weight", weight, 2);
    if (bias != null) {
      Require.that(
          bias.elements() == weight.dim(0),
          "freezeLinear: bias",
          weight.dim(0) + " elements",
          bias);
    }
    return new CudaLinear(
        freezeVector(weight, owner), bias == null ? null : freezeVector(bias, owner), transposed);
  }

  @Override
  public FrozenEmbedding freezeEmbedding(Tensor table, Scope owner) {
    Require.rank("freezeEmbedding: table", table, 2);
    return new CudaTable(freezeVector(table, owner));
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
  public Recording record(String recording, Runnable work) {
    return new CudaRecording(cuda.device(), cuda.allocator(), recording, work);
  }

  @Override
  public boolean records() {
    return cuda.device().canRecord();
  }

  @Override
  public OptionalLong freeMemory() {
    return cuda.allocator().freeBytes();
  }

  @Override
  public MemoryUse memoryUse() {
    return new MemoryUse(cuda.allocator().liveBytes(), cuda.allocator().peakLiveBytes());
  }

  @Override
  public void close() {
    cuda.close();
  }
}
