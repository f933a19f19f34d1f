package dev.lethe.backend.cuda.lora;

import static dev.lethe.tensor.DType.BF16;
import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.cuda.blas.Operand;
import dev.lethe.backend.cuda.driver.Grid;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.cuda.launch.Kernel;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.List;

/**
 * h and the gradients of B of a group's layers from one reading of the outputs' adjoints, for one direction in bfloat16 and
 * ranks up to 32: kernels/lora_adjoint.cu. Blocks leave shares, which a second kernel adds in order.
 */
final class CudaLoraAdjoint {
  private static final int MOST_RANK = 32;

  /** Of the kernel's tiles, as in kernels/lora_group.cuh and lora_adjoint.cu. */
  private static final int COLUMNS = 512;

  private static final int ROWS = 32;
  private static final int THREADS = 256;

  /** Two buffers of rows of ȳ and of u, each row with 8 elements behind it. */
  private static final int SHARED_BYTES = 2 * ROWS * (COLUMNS + 8 + MOST_RANK + 8) * Short.BYTES;

  private final Cuda cuda;

  CudaLoraAdjoint(Cuda cuda) {
    this.cuda = cuda;
  }

  /**
   * One term of both sums.
   *
   * @param y ȳ (N,O)
   * @param u (N,R)
   * @param b B (O,R) as last written beside the weights
   */
  record Term(Operand y, Operand u, Operand b) {}

  /** Whether the pairs are all those of the stack, and fit, for so many rows. */
  boolean takes(LoraStack stack, List<LoraSlot> pairs, long n) {
    return cuda.type() == BF16
        && n > 0
        && pairs.equals(stack.slots())
        && pairs.stream().allMatch(slot -> slot.rank() <= MOST_RANK);
  }

  /**
   * h (N,R) = Σ y·b, and to the pairs' gradients of B is added Σ yᵀu.
   *
   * @param terms one, or two in tangents
   * @param h where h goes
   * @param beside (N,R), copied behind h; may be null
   * @param pairs whose gradient is (1,P)
   */
  void run(LoraStack stack, long n, List<Term> terms, Operand h, Tensor beside, LoraPairs pairs) {
    List<LoraSlot> slots = stack.slots();
    long width = slots.stream().mapToLong(LoraSlot::rank).max().orElseThrow();
    long tiles = slots.stream().mapToLong(slot -> Math.ceilDiv(slot.out(), COLUMNS)).sum();
    long parts = Math.clamp(cuda.device().multiprocessors() / tiles, 1, Math.ceilDiv(n, ROWS));
    try (Scope scope = cuda.scratch("adjoints of a group")) {
      Tensor ofH = scope.allocate(F32, tiles, n, width);
      Tensor ofB = scope.allocate(F32, parts, stack.outs(), width);
      Kernel kernel = cuda.kernel(terms.size() == 1 ? "lora_adjoint" : "lora_adjoint_tangent");
      for (Term term : terms) {
        with(with(kernel, term.y), term.u).with(term.b.address());
      }
      kernel.with(terms.getFirst().b.stride()).with(ofH).with(ofB).with(n).with(width);
      stack
          .withLayers(kernel)
          .run(new Grid(Math.toIntExact(tiles), Math.toIntExact(parts), 1, THREADS, SHARED_BYTES));
      Kernel sum = with(cuda.kernel("lora_adjoint_sum").with(ofH).with(ofB), h);
      sum.with(beside).with(beside == null ? 0 : beside.stride()).with(pairs.g()).with(n).with(width).with(parts);
      sum.with((float) stack.unscaled()).with((float) pairs.factor());
      stack.withLayers(sum).run(cuda.elements(n * stack.ranks() + stack.outs() * width));
    }
  }

  private static Kernel with(Kernel kernel, Operand matrix) {
    return kernel.with(matrix.address()).with(matrix.stride());
  }
}
