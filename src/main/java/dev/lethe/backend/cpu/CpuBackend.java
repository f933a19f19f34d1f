package dev.lethe.backend.cpu;

import dev.lethe.backend.AttentionKernels;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
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
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/**
 * Every kernel in float32 on the processor's own cores; on request, products with frozen weights have
 * bfloat16 factors and float32 sums.
 */
final class CpuBackend implements Backend {
  static final String NAME = "cpu";

  private final Cpu cpu;
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

  CpuBackend(Primitives primitives, BackendOptions options) {
    this(
        new Cpu(
            primitives,
            options.type() == DType.BF16 ? Bf16Products.require() : null,
            options.threads() > 0
                ? options.threads()
                : Runtime.getRuntime().availableProcessors()));
  }

  /**
   * @param cpu closed with the backend
   */
  CpuBackend(Cpu cpu) {
    this.cpu = cpu;
    embedding = new CpuEmbedding(cpu);
    rmsNorm = new CpuRmsNorm(cpu);
    kernels = new Kernels(new CpuLora(cpu), new CpuLayerNorm(cpu));
    rope = new CpuRope(cpu);
    attention = new CpuAttention(cpu);
    swiGlu = new CpuSwiGlu(cpu);
    rows = new CpuRows(cpu);
    dropout = new CpuDropout(cpu);
    loss = new CpuLoss(cpu);
    vectors = new CpuVectors(cpu);
    sketch = new CpuSketch(cpu);
    replay = new CpuReplay(cpu);
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String description() {
    String products =
        productType() == DType.BF16
            ? ", products with frozen weights in bfloat16 by %s (%s)"
                .formatted(cpu.products().instructions(), Bf16Products.ERROR)
            : "";
    return "float32%s, %s, %d thread%s"
        .formatted(
            products,
            cpu.primitives().detail(),
            cpu.pool().threads(),
            cpu.pool().threads() == 1 ? "" : "s");
  }

  @Override
  public DType activationType() {
    return DType.F32;
  }

  @Override
  public DType productType() {
    return cpu.productType();
  }

  @Override
  public DType vectorType() {
    return DType.F32;
  }

  @Override
  public Allocator allocator() {
    return cpu.allocator();
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
    return PackedLinear.pack(cpu, weight, bias, transposed, owner);
  }

  @Override
  public FrozenEmbedding freezeEmbedding(Tensor table, Scope owner) {
    return CpuEmbedding.table(table);
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
    return new MemoryUse(cpu.allocator().liveBytes(), cpu.allocator().peakLiveBytes());
  }

  /** Bytes that threads keep between kernels, beyond {@link #memoryUse}. */
  long scratchBytes() {
    return cpu.scratchBytes();
  }

  @Override
  public void close() {
    cpu.close();
  }
}
