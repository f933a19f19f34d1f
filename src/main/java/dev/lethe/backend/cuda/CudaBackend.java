package dev.lethe.backend.cuda;

import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.KernelRecording;
import dev.lethe.backend.Turn;
import dev.lethe.backend.cuda.gemm.CudaLinear;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.cuda.lora.CudaLora;
import dev.lethe.backend.kernel.Kernels;
import dev.lethe.backend.kernel.Require;
import dev.lethe.backend.kernel.operand.FrozenEmbedding;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.tensor.Allocator;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/** Every kernel on a CUDA device, with activations in float32 or bfloat16. */
final class CudaBackend implements Backend {
  static final String NAME = "cuda";

  private final Cuda cuda;
  private final Kernels kernels;

  /**
   * @param cuda closed with this
   */
  CudaBackend(Cuda cuda) {
    this.cuda = cuda;
    kernels =
        new Kernels(
            new CudaEmbedding(cuda),
            new CudaRmsNorm(cuda),
            new CudaLayerNorm(cuda),
            new CudaLora(cuda),
            new CudaRope(cuda),
            new CudaAttention(cuda),
            new CudaGatedUnit(cuda),
            new CudaRows(cuda),
            new CudaDropout(cuda),
            new CudaScaledSum(cuda),
            new CudaLoss(cuda),
            new CudaVectors(cuda),
            new CudaSketch(cuda),
            new CudaReplay(cuda));
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String description() {
    return Text.format(
        "%s, %s, products by %s",
        cuda.type() == DType.BF16 ? "bfloat16" : "float32",
        cuda.device().description(),
        cuda.products().description());
  }

  @Override
  public String arithmetic() {
    return NAME + ", " + description().replace(cuda.device().place() + ", ", "");
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
  public Turn turn() {
    return cuda.turn();
  }

  @Override
  public void upload(Tensor host, Tensor target) {
    inTurn(() -> cuda.transfers().upload(host, target));
  }

  @Override
  public void download(Tensor source, Tensor host) {
    inTurn(() -> cuda.transfers().download(source, host));
  }

  @Override
  public FrozenLinear freezeLinear(Tensor weight, Tensor bias, boolean transposed, Scope owner) {
    Require.rank("freezeLinear: weight", weight, 2);
    return new CudaLinear(freezeMatrix(weight, owner), freezeBias(weight, bias, owner), transposed);
  }

  @Override
  public List<FrozenLinear> freezeTogether(
      List<Tensor> weights, List<Tensor> biases, boolean transposed, Scope owner) {
    if (weights.stream().anyMatch(weight -> weight.dtype().isBlocks())) {
      return Backend.super.freezeTogether(weights, biases, transposed, owner);
    }
    long in = weights.getFirst().dim(-1);
    weights.forEach(weight -> Require.tensor("freezeTogether: weight", weight, weight.dtype(), weight.dim(0), in));
    long outs = weights.stream().mapToLong(weight -> weight.dim(0)).sum();
    Tensor stack = owner.allocate(cuda.type(), outs + CudaLinear.BORDER, in + CudaLinear.BORDER);
    List<FrozenLinear> frozen = new ArrayList<>();
    long row = 0;
    for (int i = 0; i < weights.size(); i++) {
      Tensor weight = weights.get(i);
      Tensor part = stack.slice(row, weight.dim(0)).columns(0, in);
      inTurn(() -> cuda.transfers().uploadColumns(weight, part));
      frozen.add(new CudaLinear(part, freezeBias(weight, biases.get(i), owner), transposed, stack));
      row += weight.dim(0);
    }
    return frozen;
  }

  private Tensor freezeBias(Tensor weight, Tensor bias, Scope owner) {
    if (bias == null) {
      return null;
    }
    Require.that(bias.elements() == weight.dim(0), "freezeLinear: bias", weight.dim(0) + " elements", bias);
    return freezeVector(bias, owner);
  }

  @Override
  public FrozenEmbedding freezeEmbedding(Tensor table, Scope owner) {
    Require.rank("freezeEmbedding: table", table, 2);
    return new CudaTable(freezeMatrix(table, owner));
  }

  /** In activation format, but packed in blocks where it came so. */
  private Tensor freezeMatrix(Tensor host, Scope owner) {
    if (!host.dtype().isBlocks()) {
      return freezeVector(host, owner);
    }
    Tensor copy = owner.allocate(host.dtype(), host.shape());
    upload(host, copy);
    return copy;
  }

  @Override
  public Kernels kernels() {
    return kernels;
  }

  @Override
  public KernelRecording record(String recording, Runnable work) {
    return new CudaRecording(cuda, recording, work);
  }

  @Override
  public boolean takesColumns() {
    return true;
  }

  @Override
  public long weightBytes(DType stored, Shape shape) {
    if (stored.isBlocks()) {
      return Backend.super.weightBytes(stored, shape);
    }
    Shape stack = Shape.of(shape.dim(0) + CudaLinear.BORDER, shape.dim(1) + CudaLinear.BORDER);
    return Backend.super.weightBytes(stored, stack);
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
    turn().end(cuda::close);
  }

  private void inTurn(Runnable work) {
    try (Turn.Taken mine = turn().take()) {
      work.run();
    }
  }
}
