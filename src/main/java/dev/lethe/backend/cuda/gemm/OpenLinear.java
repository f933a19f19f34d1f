package dev.lethe.backend.cuda.gemm;

import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/**
 * A frozen weight during one call. One that is packed in blocks is expanded into memory of the call when a product
 * first asks for it; the launches of the call follow one another, so that the memory may go to the next call while
 * they wait.
 */
public final class OpenLinear implements AutoCloseable {
  private final Cuda cuda;
  private final CudaLinear linear;
  private Scope scratch;
  private Tensor expanded;

  public OpenLinear(Cuda cuda, FrozenLinear weight) {
    this.cuda = cuda;
    this.linear = CudaLinear.of(weight);
  }

  public long in() {
    return linear.in();
  }

  public long out() {
    return linear.out();
  }

  /** (out) in activation format, or null. */
  public Tensor bias() {
    return linear.bias();
  }

  /** (out,in) in activation format. */
  public Tensor weight() {
    if (!linear.weight().dtype().isBlocks()) {
      return linear.weight();
    }
    if (expanded == null) {
      scratch = cuda.scratch("expanded weight");
      expanded = scratch.allocate(cuda.type(), out(), in());
      CudaBlocks.expand(cuda, linear.weight(), expanded);
    }
    return expanded;
  }

  @Override
  public void close() {
    if (scratch != null) {
      scratch.close();
    }
  }
}
