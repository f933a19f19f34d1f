package dev.lethe.backend;

import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;

/**
 * What calls of kernels cost at least, counted from the shapes of their arguments. Operations are those of matrix products,
 * without the few an element of norms, softmax and the like; of the products with a null tangent there are fewer. Attention is
 * counted over the pairs of a query and a key that it sees, its probabilities once more in each mode that rebuilds them.
 */
public final class KernelCosts {
  private final DType weights;

  /**
   * @param weights the format of frozen weights
   */
  public KernelCosts(DType weights) {
    this.weights = weights;
  }

  /**
   * The cost of a call.
   *
   * @param kernel group and mode, as in {@code lora.forward}
   * @param arguments in the order of the kernel's declaration; null where it has none
   */
  public KernelCost of(String kernel, Object[] arguments) {
    Object[] a = arguments == null ? new Object[0] : arguments;
    String[] name = kernel.split("\\.");
    return switch (name[0]) {
      case "attention" -> new KernelCost(attention(name[1], a), tensorBytes(a));
      case "loss" -> loss(name[1], a);
      case "sketch" -> sketch(name[1], a);
      case "rows" -> new KernelCost(name[1].equals("addOuter") ? outer(a) : 0, tensorBytes(a));
      default -> new KernelCost(0, tensorBytes(a));
    };
  }

  private static double attention(String mode, Object[] a) {
    AttentionShape shape = (AttentionShape) a[0];
    Packing queries = (Packing) a[1];
    Packing keys = mode.equals("forward") ? (Packing) a[2] : queries;
    double product = 2 * pairs(shape, queries, keys) * shape.queryWidth();
    return product
        * switch (mode) {
          case "forward" -> 2; // QKᵀ, PV
          case "tangent" -> // QKᵀ; (P∘Ṡ)V and one for each tangent that there is
              1 + tensor(a, 6).dim(0) * (1.0 + present(a[3], a[4], a[5]));
          case "backward" -> 1 + 4 * (double) tensor(a, 3).dim(0); // QKᵀ; ŌVᵀ, S̄K, S̄ᵀQ, PᵀŌ
          default -> backwardTangent((AttentionKernels.Tangent) a[5], tensor(a, 7), a[6] != null);
        };
  }

  /** QKᵀ and ŌVᵀ; for each direction S̄̇K, S̄̇ᵀQ, ṖᵀŌ, two for each of q̇, k̇ and ȯ̇, one for v̇. */
  private static double backwardTangent(AttentionKernels.Tangent t, Tensor dgq, boolean outer) {
    double each = 3 + (t.dq() != null ? 2 : 0) + (t.dk() != null ? 2 : 0) + (t.dv() != null ? 1 : 0);
    return 2 + dgq.dim(0) * (each + (outer ? 2 : 0));
  }

  private static double present(Object... tangents) {
    return Stream.of(tangents).filter(Objects::nonNull).count();
  }

  /** Pairs of a query and a key that it sees, of all sequences. */
  private static double pairs(AttentionShape shape, Packing queries, Packing keys) {
    double pairs = 0;
    for (int i = 0; i < queries.count(); i++) {
      int before = keys.length(i) - queries.length(i);
      for (int query = before; query < keys.length(i); query++) {
        pairs += query - shape.firstKey(query) + 1.0;
      }
    }
    return pairs;
  }

  private static KernelCost sketch(String mode, Object[] a) {
    Tensor rows = mode.equals("addCombination") ? tensor(a, 2) : tensor(a, 0);
    double k = tensor(a, mode.equals("addCombination") ? 0 : 1).dim(0);
    double products = mode.equals("addProduct") ? 2 : 1;
    return new KernelCost(2 * products * k * rows.elements(), tensorBytes(a));
  }

  private static double outer(Object[] a) {
    return 2.0 * tensor(a, 0).elements() * tensor(a, 1).dim(1);
  }

  private KernelCost loss(String mode, Object[] a) {
    if (mode.equals("drawn")) { // of W only the rows of labels
      Tensor out = tensor(a, 7);
      return new KernelCost(0, tensorBytes(a) + (double) out.elements() * weights.bytes());
    }
    if (!(a[0] instanceof FrozenLinear head)) {
      return new KernelCost(0, tensorBytes(a));
    }
    double products =
        switch (mode) {
          case "forward" -> a[6] == null ? 1 : 2;
          case "backwardTangent" -> 2;
          default -> 1;
        };
    Tensor x =
        switch (mode) {
          case "tangent" -> tensor(a, 3);
          case "backwardTangent" -> tensor(a, a.length - 1);
          default -> tensor(a, 1);
        };
    double weight = (double) head.in() * head.out();
    return new KernelCost(
        2 * products * rowsOf(x) * weight, weight * weights.bytes() + tensorBytes(a));
  }

  private static Tensor tensor(Object[] a, int index) {
    return (Tensor) a[index];
  }

  /** Rows of all directions. */
  private static double rowsOf(Tensor tensor) {
    return (double) tensor.elements() / tensor.dim(tensor.shape().rank() - 1);
  }

  /** Bytes of all tensors among the arguments and in those that hold several, each piece of memory once. */
  private static double tensorBytes(Object[] a) {
    Set<List<Object>> seen = new HashSet<>();
    return Stream.of(a)
        .flatMap(KernelCosts::tensors)
        .filter(t -> seen.add(List.of(System.identityHashCode(t.storage()), t.byteOffset())))
        .mapToDouble(Tensor::byteSize)
        .sum();
  }

  private static Stream<Tensor> tensors(Object argument) {
    return switch (argument) {
      case Tensor t -> Stream.of(t);
      case AttentionKernels.Primal p -> Stream.of(p.q(), p.k(), p.v(), p.o(), p.lse());
      case AttentionKernels.Tangent t ->
          Stream.of(t.dq(), t.dk(), t.dv(), t.dO(), t.mu()).filter(Objects::nonNull);
      case ReplayKernels.Step s -> Stream.of(s.g(), s.change());
      case ReplayKernels.AdamWState s -> Stream.of(s.theta(), s.m(), s.v());
      case ReplayKernels.SgdState s -> Stream.of(s.theta(), s.buffer());
      case null, default -> Stream.empty();
    };
  }
}
