package dev.lethe.backend.cpu;

import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Turn;
import dev.lethe.backend.cpu.attention.CpuAttention;
import dev.lethe.backend.cpu.gemm.Bf16Products;
import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.gemm.PackedLinear;
import dev.lethe.backend.cpu.lora.CpuLora;
import dev.lethe.backend.cpu.loss.CpuLoss;
import dev.lethe.backend.cpu.primitive.Primitives;
import dev.lethe.backend.cpu.rows.CpuDropout;
import dev.lethe.backend.cpu.rows.CpuEmbedding;
import dev.lethe.backend.cpu.rows.CpuGatedUnit;
import dev.lethe.backend.cpu.rows.CpuLayerNorm;
import dev.lethe.backend.cpu.rows.CpuReplay;
import dev.lethe.backend.cpu.rows.CpuRmsNorm;
import dev.lethe.backend.cpu.rows.CpuRope;
import dev.lethe.backend.cpu.rows.CpuRows;
import dev.lethe.backend.cpu.rows.CpuScaledSum;
import dev.lethe.backend.cpu.rows.CpuSketch;
import dev.lethe.backend.cpu.rows.CpuVectors;
import dev.lethe.backend.kernel.Kernels;
import dev.lethe.backend.kernel.operand.FrozenEmbedding;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.tensor.Allocator;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;

/**
 * Every kernel in float32 on the processor's own cores; on request, products with frozen weights have
 * bfloat16 factors and float32 sums.
 */
final class CpuBackend implements Backend {
  static final String NAME = "cpu";

  private final Turn turn = new Turn(NAME);
  private final Cpu cpu;
  private final Kernels kernels;

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
    kernels =
        new Kernels(
            new CpuEmbedding(cpu),
            new CpuRmsNorm(cpu),
            new CpuLayerNorm(cpu),
            new CpuLora(cpu),
            new CpuRope(cpu),
            new CpuAttention(cpu),
            new CpuGatedUnit(cpu),
            new CpuRows(cpu),
            new CpuDropout(cpu),
            new CpuScaledSum(cpu),
            new CpuLoss(cpu),
            new CpuVectors(cpu),
            new CpuSketch(cpu),
            new CpuReplay(cpu));
  }

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String description() {
    String products =
        productType() == DType.BF16
            ? Text.format(
                ", products with frozen weights in bfloat16 by %s (%s)",
                cpu.products().instructions(), Bf16Products.ERROR)
            : "";
    return Text.format(
        "float32%s, %s, %d thread%s",
        products, cpu.primitives().detail(), cpu.pool().threads(), cpu.pool().threads() == 1 ? "" : "s");
  }

  @Override
  public String arithmetic() {
    String all = Backend.super.arithmetic();
    return productType() == DType.BF16
        ? Text.format("%s, products with frozen weights by %s", all, cpu.products().instructions())
        : all;
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
    try (Turn.Taken mine = turn.take()) {
      return PackedLinear.pack(cpu, weight, bias, transposed, owner);
    }
  }

  @Override
  public FrozenLinear leaveLinear(Tensor weight, Tensor bias, boolean transposed, Scope owner) {
    return PackedLinear.left(cpu, weight, bias, transposed, owner);
  }

  @Override
  public boolean leavesWeights() {
    return productType() == DType.F32;
  }

  @Override
  public long weightBytes(DType stored, Shape shape) {
    return PackedLinear.bytes(productType(), stored, shape);
  }

  @Override
  public FrozenEmbedding freezeEmbedding(Tensor table, Scope owner) {
    return CpuEmbedding.table(cpu, table);
  }

  @Override
  public boolean sawFinite(Tensor host) {
    return PackedLinear.sawFinite(cpu, host);
  }

  @Override
  public Kernels kernels() {
    return kernels;
  }

  @Override
  public boolean rowsIndependent() {
    return true;
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
    turn.end(cpu::close);
  }
}
