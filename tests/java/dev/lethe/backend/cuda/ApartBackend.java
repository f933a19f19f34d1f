package dev.lethe.backend.cuda;

import dev.lethe.backend.Backend;
import dev.lethe.backend.Turn;
import dev.lethe.backend.kernel.Kernels;
import dev.lethe.backend.kernel.operand.FrozenEmbedding;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.tensor.Allocator;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/** A CUDA backend as one that takes dense rows and one layer at a time only. */
record ApartBackend(Backend cuda) implements Backend {
  @Override
  public String name() {
    return cuda.name();
  }

  @Override
  public String description() {
    return cuda.description();
  }

  @Override
  public DType activationType() {
    return cuda.activationType();
  }

  @Override
  public DType vectorType() {
    return cuda.vectorType();
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
    cuda.upload(host, target);
  }

  @Override
  public void download(Tensor source, Tensor host) {
    cuda.download(source, host);
  }

  @Override
  public FrozenLinear freezeLinear(Tensor weight, Tensor bias, boolean transposed, Scope owner) {
    return cuda.freezeLinear(weight, bias, transposed, owner);
  }

  @Override
  public FrozenEmbedding freezeEmbedding(Tensor table, Scope owner) {
    return cuda.freezeEmbedding(table, owner);
  }

  @Override
  public Kernels kernels() {
    return cuda.kernels();
  }

  @Override
  public MemoryUse memoryUse() {
    return cuda.memoryUse();
  }

  @Override
  public void close() {
    cuda.close();
  }
}
