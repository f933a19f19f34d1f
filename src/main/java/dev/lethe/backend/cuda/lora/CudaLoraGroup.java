package dev.lethe.backend.cuda.lora;

import static dev.lethe.backend.cuda.launch.Cuda.matrix;
import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.cuda.blas.Operand;
import dev.lethe.backend.cuda.blas.Product;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.cuda.launch.Kernel;
import dev.lethe.backend.kernel.LoraGradientKernels.Gradient;
import dev.lethe.backend.kernel.LoraGradientKernels.GradientTangent;
import dev.lethe.backend.kernel.LoraGroup;
import dev.lethe.backend.kernel.LoraKernels.Backward;
import dev.lethe.backend.kernel.LoraKernels.BackwardTangent;
import dev.lethe.backend.kernel.LoraKernels.Forward;
import dev.lethe.backend.kernel.LoraKernels.InputAdjoint;
import dev.lethe.backend.kernel.LoraKernels.Tangent;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * A group of layers by one product for all: possible where their weights stand in one {@link LoraStack} and their tensors
 * side by side. Each method says whether it was.
 */
final class CudaLoraGroup {
  private final Cuda cuda;

  CudaLoraGroup(Cuda cuda) {
    this.cuda = cuda;
  }

  /** [y…] = [x|u…][W|sB]ᵀ, u… = xAᵀ. */
  boolean forward(LoraGroup<Forward> group) {
    List<Forward> calls = group.calls();
    Forward first = calls.getFirst();
    LoraStack stack = LoraStack.of(cuda, calls.stream().map(Forward::layer).toList(), 1);
    Columns in = Columns.of(group.whole()).take(first.x()).takeAll(calls.stream().map(Forward::u).toList());
    boolean one = calls.stream().allMatch(call -> Columns.same(call.x(), first.x()) && Columns.same(call.xa(), first.x()));
    if (stack == null || !one || !Columns.adjacent(calls.stream().map(Forward::y).toList())) {
      return false;
    }
    long n = first.x().dim(0);
    if (stack.ranks() == 0) {
      multiply(
          Product.of(n, stack.outs(), stack.in(), 1, matrix(first.x()), stack.whole().transpose(), matrix(first.y())));
      return true;
    }
    if (!in.fits(0)) {
      return false;
    }
    Tensor theta = vectors(calls.stream().map(Forward::theta));
    stack.openNarrow(theta, null);
    Operand a = stack.ofA(0).transpose();
    multiply(Product.of(n, stack.ranks(), stack.in(), stack.unscaled(), in.from(0), a, in.from(stack.in())));
    stack.openWide(theta, null);
    long depth = stack.in() + stack.ranks();
    multiply(Product.of(n, stack.outs(), depth, 1, in.from(0), stack.whole().transpose(), matrix(first.y())));
    return true;
  }

  /** [ẏ…] = [ẋ|u̇…|u…][W|sB|sḂ]ᵀ, u̇… = ẋAᵀ + xȦᵀ, for one direction. */
  boolean tangent(LoraGroup<Tangent> group) {
    List<Tangent> calls = group.calls();
    Tangent first = calls.getFirst();
    Tensor dx = first.in().dx();
    LoraStack stack = LoraStack.of(cuda, calls.stream().map(Tangent::layer).toList(), 2);
    boolean one = calls.stream().allMatch(call -> Columns.same(call.in().dx(), dx) && call.in().dxa() == null);
    List<Tensor> us = present(calls.stream().map(Tangent::u).toList());
    if (stack == null || !one || !Columns.adjacent(calls.stream().map(Tangent::dy).toList())) {
      return false;
    }
    if (stack.ranks() == 0 && dx != null) {
      multiply(
          Product.of(
                  dx.dim(1), stack.outs(), stack.in(), 1, matrix(dx), stack.whole().transpose(), matrix(first.dy()))
              .batch(dx.dim(0)));
      return true;
    }
    if (us.isEmpty() || first.dy().dim(0) != 1 || !Columns.adjacent(us)) {
      return false;
    }
    Columns in = Columns.of(group.whole());
    in = dx == null ? in.skip(stack.in()) : in.take(dx);
    in = in.takeAll(calls.stream().map(Tangent::du).toList());
    if (!in.fits(stack.ranks())) {
      return false;
    }
    long n = first.dy().dim(1);
    long r = stack.ranks();
    Tensor xa = calls.stream().map(Tangent::xa).filter(Objects::nonNull).findFirst().orElseThrow();
    Tensor theta = vectors(calls.stream().map(Tangent::theta));
    Tensor v = vectors(calls.stream().map(Tangent::v));
    stack.openNarrow(theta, v);
    Product narrow =
        Product.of(
            n, r, stack.in(), stack.unscaled(), matrix(xa), stack.ofA(1).transpose(), in.from(stack.in()));
    multiply(dx == null ? narrow : narrow.plus(stack.in(), in.from(0), stack.ofA(0).transpose()));
    in.copy(cuda, us.getFirst(), stack.in() + r, r);
    stack.openWide(theta, v);
    Operand y = matrix(first.dy());
    multiply(
        dx == null
            ? Product.of(n, stack.outs(), 2 * r, 1, in.from(stack.in()), stack.ofB(0).transpose(), y)
            : Product.of(n, stack.outs(), stack.in() + 2 * r, 1, in.from(0), stack.whole().transpose(), y));
    return true;
  }

  /** x̄ = [ȳ…|h…][W;sA], h… = ȳB. */
  boolean backward(LoraGroup<Backward> group) {
    List<Backward> calls = group.calls();
    Backward last = calls.getLast();
    LoraStack stack = LoraStack.of(cuda, calls.stream().map(Backward::layer).toList(), 1);
    boolean one =
        calls.stream().allMatch(call -> Columns.same(call.in().gx(), last.in().gx()) && call.in().gxa() == null);
    Columns out =
        Columns.of(group.whole())
            .takeAll(calls.stream().map(Backward::gy).toList())
            .takeAll(calls.stream().map(Backward::h).toList());
    if (stack == null || !one || !out.fits(0)) {
      return false;
    }
    long k = last.gy().dim(0);
    long n = last.gy().dim(1);
    if (stack.ranks() == 0) {
      multiply(adjoint(stack, 0, out, last.in()).batch(k));
      return true;
    }
    Tensor theta = vectors(calls.stream().map(Backward::theta));
    stack.openNarrow(theta, null);
    multiply(
        Product.of(
                n, stack.ranks(), stack.outs(), stack.unscaled(), out.from(0), stack.ofB(0), out.from(stack.outs()))
            .batch(k));
    if (last.in().gx() != null) {
      stack.openWide(theta, null);
      multiply(adjoint(stack, stack.ranks(), out, last.in()).batch(k));
    }
    return true;
  }

  /** x̄ from the outputs' columns and those of the low-rank factors behind them. */
  private static Product adjoint(LoraStack stack, long low, Columns out, InputAdjoint to) {
    long n = to.gx().dim(1);
    Product product =
        Product.of(n, stack.in(), stack.outs() + low, 1, out.from(0), stack.whole(), matrix(to.gx()));
    return to.accumulate() ? product.added() : product;
  }

  /** x̄̇ = [ȳ̇…|ḣ…|h…][W;sA;sȦ], ḣ… = ȳ̇B + ȳḂ, for one direction. */
  boolean backwardTangent(LoraGroup<BackwardTangent> group) {
    List<BackwardTangent> calls = group.calls();
    BackwardTangent last = calls.getLast();
    LoraStack stack = LoraStack.of(cuda, calls.stream().map(BackwardTangent::layer).toList(), 2);
    boolean one =
        calls.stream()
            .allMatch(call -> call.dgy() != null && Columns.same(call.in().gx(), last.in().gx()) && call.in().gxa() == null);
    List<Tensor> hs = present(calls.stream().map(BackwardTangent::h).toList());
    List<Tensor> gys = present(calls.stream().map(BackwardTangent::gy).toList());
    Columns out =
        Columns.of(group.whole())
            .takeAll(calls.stream().map(BackwardTangent::dgy).toList())
            .takeAll(calls.stream().map(BackwardTangent::dh).toList());
    if (stack == null || !one) {
      return false;
    }
    if (stack.ranks() == 0 && out.fits(0)) {
      multiply(adjoint(stack, 0, out, last.in()).batch(last.directions()));
      return true;
    }
    if (hs.isEmpty() || gys.size() < calls.size() || last.directions() != 1 || !Columns.adjacent(hs)
        || !Columns.adjacent(gys)) {
      return false;
    }
    long n = last.rows();
    long r = stack.ranks();
    if (!out.fits(r)) {
      return false;
    }
    Tensor theta = vectors(calls.stream().map(BackwardTangent::theta));
    Tensor v = vectors(calls.stream().map(BackwardTangent::v));
    stack.openNarrow(theta, v);
    multiply(
        Product.of(
                n, r, stack.outs(), stack.unscaled(), matrix(gys.getFirst()), stack.ofB(1), out.from(stack.outs()))
            .plus(stack.outs(), out.from(0), stack.ofB(0)));
    if (last.in().gx() != null) {
      out.copy(cuda, hs.getFirst(), stack.outs() + r, r);
      stack.openWide(theta, v);
      multiply(adjoint(stack, 2 * r, out, last.in()));
    }
    return true;
  }

  /** g (k,P) += scale·s·(h…ᵀxₐ, what is each layer's own of [ȳ…]ᵀ[u…]). */
  boolean gradient(LoraGroup<Gradient> group) {
    List<Gradient> calls = group.calls();
    Gradient first = calls.getFirst();
    Tensor xa = first.kept().xa();
    List<Tensor> hs = calls.stream().map(call -> call.kept().h()).toList();
    List<Tensor> us = calls.stream().map(call -> call.kept().u()).toList();
    List<Tensor> gys = calls.stream().map(call -> call.kept().gy()).toList();
    boolean one = calls.stream().allMatch(call -> Columns.same(call.kept().xa(), xa) && call.scale() == first.scale());
    Pairs pairs = new Pairs(calls.stream().map(Gradient::slot).toList(), first.g());
    if (!one || !pairs.joined() || !beside(hs, us, gys)) {
      return false;
    }
    long n = xa.dim(0);
    try (Scope scope = cuda.scratch("gradients of a group")) {
      pairs.open(scope);
      multiply(pairs.ofA(n, matrix(hs.getFirst()), matrix(xa)));
      multiply(pairs.ofB(n, matrix(gys.getFirst()), matrix(us.getFirst())));
      pairs.add(first.scale());
    }
    return true;
  }

  /** g (k,P) += scale·s·(ḣ…ᵀxₐ + h…ᵀẋₐ, what is each layer's own of [ȳ̇…]ᵀ[u…] + [ȳ…]ᵀ[u̇…]). */
  boolean gradientTangent(LoraGroup<GradientTangent> group) {
    List<GradientTangent> calls = group.calls();
    GradientTangent first = calls.getFirst();
    Tensor xa = first.kept().xa();
    Tensor dxa = first.tangent().dxa();
    List<Tensor> hs = calls.stream().map(call -> call.kept().h()).toList();
    List<Tensor> us = calls.stream().map(call -> call.kept().u()).toList();
    List<Tensor> gys = calls.stream().map(call -> call.kept().gy()).toList();
    List<Tensor> dhs = calls.stream().map(call -> call.tangent().dh()).toList();
    List<Tensor> dus = calls.stream().map(call -> call.tangent().du()).toList();
    List<Tensor> dgys = present(calls.stream().map(call -> call.tangent().dgy()).toList());
    boolean one =
        calls.stream()
            .allMatch(
                call -> Columns.same(call.kept().xa(), xa) && Columns.same(call.tangent().dxa(), dxa) && call.scale() == first.scale());
    Pairs pairs = new Pairs(calls.stream().map(GradientTangent::slot).toList(), first.g());
    if (!one || dgys.size() < calls.size() || !pairs.joined() || !beside(hs, us, gys) || !beside(dhs, dus, dgys)) {
      return false;
    }
    long n = xa.dim(0);
    try (Scope scope = cuda.scratch("gradients of a group")) {
      pairs.open(scope);
      Product a = pairs.ofA(n, matrix(dhs.getFirst()), matrix(xa));
      multiply(dxa == null ? a : a.plus(n, matrix(hs.getFirst()).transpose(), matrix(dxa)));
      multiply(
          pairs.ofB(n, matrix(gys.getFirst()), matrix(dus.getFirst()))
              .plus(n, matrix(dgys.getFirst()).transpose(), matrix(us.getFirst())));
      pairs.add(first.scale());
    }
    return true;
  }

  /** The gradients of a group's pairs by one product for all A and one for all B. */
  private final class Pairs {
    private final List<LoraSlot> slots;
    private final Tensor g;
    private final long in;
    private final long outs;
    private final long ranks;
    private Tensor a;
    private Tensor b;

    /**
     * @param g (k,P)
     */
    Pairs(List<LoraSlot> slots, Tensor g) {
      this.slots = slots;
      this.g = g;
      this.in = slots.getFirst().in();
      this.outs = slots.stream().mapToLong(LoraSlot::out).sum();
      this.ranks = slots.stream().mapToLong(LoraSlot::rank).sum();
    }

    /** Whether there are several with one input and scale; a single one needs no detour. */
    boolean joined() {
      return slots.size() > 1
          && slots.size() <= LoraStack.MOST_LAYERS
          && slots.stream().allMatch(slot -> slot.in() == in && slot.scale() == slots.getFirst().scale());
    }

    void open(Scope scope) {
      a = scope.allocate(F32, g.dim(0), ranks, in);
      b = scope.allocate(F32, g.dim(0), outs, ranks);
    }

    /** left (N,R) or (k,N,R), right (N,in) or (k,N,in). */
    Product ofA(long n, Operand left, Operand right) {
      return Product.of(ranks, in, n, 1, left.transpose(), right, matrix(a)).batch(g.dim(0));
    }

    /** left (N,O) or (k,N,O), right (N,R) or (k,N,R). */
    Product ofB(long n, Operand left, Operand right) {
      return Product.of(outs, ranks, n, 1, left.transpose(), right, matrix(b)).batch(g.dim(0));
    }

    void add(double scale) {
      float factor = (float) (scale * slots.getFirst().scale());
      Kernel kernel =
          cuda.plainKernel("lora_add_gradients")
              .with(a).with(b).with(g).with(g.dim(1)).with(g.dim(0)).with(in).with(factor);
      for (int i = 0; i < LoraStack.MOST_LAYERS; i++) {
        LoraSlot slot = i < slots.size() ? slots.get(i) : null;
        kernel.with(slot == null ? 0 : slot.out());
        LoraStack.withPlace(kernel, slot);
      }
      kernel.run(cuda.elements(g.dim(0) * ranks * (outs + in)));
    }
  }

  private void multiply(Product product) {
    cuda.products().multiply(product);
  }

  @SafeVarargs
  private static boolean beside(List<Tensor>... groups) {
    return Arrays.stream(groups).allMatch(Columns::adjacent);
  }

  private static List<Tensor> present(List<Tensor> tensors) {
    return tensors.stream().filter(Objects::nonNull).toList();
  }

  /** θ or v of the layers that have one. */
  private static Tensor vectors(Stream<Tensor> of) {
    return of.filter(Objects::nonNull).findFirst().orElseThrow();
  }
}
