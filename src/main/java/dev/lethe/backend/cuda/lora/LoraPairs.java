package dev.lethe.backend.cuda.lora;

import static dev.lethe.backend.cuda.launch.Cuda.matrix;
import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.cuda.blas.Operand;
import dev.lethe.backend.cuda.blas.Product;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.cuda.launch.Kernel;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.List;

/** Where the gradients of a group's pairs are added, and the products for all of them together. */
final class LoraPairs {
  private final Cuda cuda;
  private final List<LoraSlot> slots;
  private final Tensor g;
  private final double scale;
  private final long in;
  private final long outs;
  private final long ranks;

  /**
   * @param g (k,P)
   * @param scale of what is added, beside the pairs' own
   */
  LoraPairs(Cuda cuda, List<LoraSlot> slots, Tensor g, double scale) {
    this.cuda = cuda;
    this.slots = slots;
    this.g = g;
    this.scale = scale;
    this.in = slots.getFirst().in();
    this.outs = slots.stream().mapToLong(LoraSlot::out).sum();
    this.ranks = slots.stream().mapToLong(LoraSlot::rank).sum();
  }

  /** A product (m,N)·(N,n): {@code left} (N,m) or (k,N,m) is transposed, {@code right} (N,n) or (k,N,n). */
  record Term(Operand left, Operand right) {}

  /** Whether there are several with one input and scale; a single one needs no detour. */
  boolean joined() {
    return slots.size() > 1
        && slots.size() <= LoraStack.MOST_LAYERS
        && slots.stream().allMatch(slot -> slot.in() == in && slot.scale() == slots.getFirst().scale());
  }

  Tensor g() {
    return g;
  }

  /** Of what is added. */
  double factor() {
    return scale * slots.getFirst().scale();
  }

  /** Adds A's and B's of several pairs: one or two terms of (R,in), and of (O,R) with each layer's own on the diagonal. */
  void add(long n, List<Term> ofA, List<Term> ofB) {
    try (Scope scope = cuda.scratch("gradients of a group")) {
      Tensor a = scope.allocate(F32, g.dim(0), ranks, in);
      Tensor b = scope.allocate(F32, g.dim(0), outs, ranks);
      multiply(ranks, in, n, ofA, matrix(a));
      multiply(outs, ranks, n, ofB, matrix(b));
      add(a, b);
    }
  }

  /** Adds A's alone: one or two terms of (R,in). */
  void addA(long n, List<Term> ofA) {
    if (slots.size() == 1) {
      Term first = ofA.getFirst();
      Product product =
          CudaLoraGradients.productA(slots.getFirst(), n, scale, first.left, first.right, g);
      cuda.products().multiply(withSecond(product, n, ofA));
      return;
    }
    try (Scope scope = cuda.scratch("gradients of a group")) {
      Tensor a = scope.allocate(F32, g.dim(0), ranks, in);
      multiply(ranks, in, n, ofA, matrix(a));
      add(a, null);
    }
  }

  private void multiply(long rows, long columns, long n, List<Term> terms, Operand to) {
    Term first = terms.getFirst();
    Product product =
        Product.of(rows, columns, n, 1, first.left.transpose(), first.right, to).batch(g.dim(0));
    cuda.products().multiply(withSecond(product, n, terms));
  }

  private static Product withSecond(Product product, long n, List<Term> terms) {
    return terms.size() == 1 ? product : product.plus(n, terms.getLast().left.transpose(), terms.getLast().right);
  }

  private void add(Tensor a, Tensor b) {
    Kernel kernel =
        cuda.plainKernel("lora_add_gradients")
            .with(a).with(b).with(g).with(g.dim(1)).with(g.dim(0)).with(in).with((float) factor());
    for (int i = 0; i < LoraStack.MOST_LAYERS; i++) {
      LoraSlot slot = i < slots.size() ? slots.get(i) : null;
      kernel.with(slot == null ? 0 : slot.out());
      LoraStack.withPlace(kernel, slot);
    }
    kernel.run(cuda.elements(g.dim(0) * ranks * (b == null ? in : outs + in)));
  }
}
