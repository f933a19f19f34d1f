package dev.lethe.backend.cuda.lora;

import static dev.lethe.backend.cuda.launch.Cuda.matrix;

import dev.lethe.backend.cuda.lora.CudaLoraAdjoint.Term;
import dev.lethe.backend.cuda.blas.Operand;
import dev.lethe.backend.cuda.blas.Product;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.kernel.LoraGradientKernels.Gradient;
import dev.lethe.backend.kernel.LoraGradientKernels.GradientTangent;
import dev.lethe.backend.kernel.LoraGradientKernels.Kept;
import dev.lethe.backend.kernel.LoraGroup;
import dev.lethe.backend.kernel.LoraKernels.Backward;
import dev.lethe.backend.kernel.LoraKernels.BackwardTangent;
import dev.lethe.backend.kernel.LoraKernels.Forward;
import dev.lethe.backend.kernel.LoraKernels.InputAdjoint;
import dev.lethe.backend.kernel.LoraKernels.Tangent;
import dev.lethe.tensor.Tensor;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * A group of layers by one product for all: possible where their weights stand in one {@link LoraStack} and their tensors
 * side by side. Each method says whether it was.
 */
final class CudaLoraGroup {
  private final Cuda cuda;
  private final CudaLoraAdjoint adjoints;

  CudaLoraGroup(Cuda cuda) {
    this.cuda = cuda;
    this.adjoints = new CudaLoraAdjoint(cuda);
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
    return backward(group, null);
  }

  /** The same with the gradients of the pairs, where ȳ is read once for h… and every B̄ = ȳᵀu; null: without. */
  boolean backward(LoraGroup<Backward> group, LoraGroup<Gradient> gradients) {
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
    List<Gradient> of = gradients == null ? List.of() : gradients.calls();
    List<Kept> kept = of.stream().map(Gradient::kept).toList();
    if (!of.isEmpty()
        && !(k == 1 && adjoints.takes(stack, of.stream().map(Gradient::slot).toList(), n) && oneInput(kept)
            && of.stream().allMatch(call -> call.scale() == of.getFirst().scale()))) {
      return false;
    }
    if (stack.ranks() == 0) {
      multiply(adjoint(stack, 0, out, last.in()).batch(k));
      return true;
    }
    Tensor theta = vectors(calls.stream().map(Backward::theta));
    stack.openNarrow(theta, null);
    Operand h = out.from(stack.outs());
    if (of.isEmpty()) {
      multiply(
          Product.of(n, stack.ranks(), stack.outs(), stack.unscaled(), out.from(0), stack.ofB(0), h).batch(k));
    } else {
      LoraPairs pairs = new LoraPairs(cuda, stack.slots(), of.getFirst().g(), of.getFirst().scale());
      Kept first = kept.getFirst();
      adjoints.run(stack, n, List.of(new Term(out.from(0), matrix(first.u()), stack.ofB(0))), h, null, pairs);
      pairs.addA(n, List.of(new LoraPairs.Term(h, matrix(first.xa()))));
    }
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
    return backwardTangent(group, null);
  }

  /** The same with the gradients' tangents, where ȳ and ȳ̇ are read once for ḣ… and every B̄̇; null: without. */
  boolean backwardTangent(LoraGroup<BackwardTangent> group, LoraGroup<GradientTangent> gradients) {
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
    List<GradientTangent> of = gradients == null ? List.of() : gradients.calls();
    boolean taken =
        of.isEmpty()
            || adjoints.takes(stack, of.stream().map(GradientTangent::slot).toList(), n) && oneInputs(of);
    if (!out.fits(r) || !taken) {
      return false;
    }
    Tensor theta = vectors(calls.stream().map(BackwardTangent::theta));
    Tensor v = vectors(calls.stream().map(BackwardTangent::v));
    stack.openNarrow(theta, v);
    Operand dh = out.from(stack.outs());
    Operand gy = matrix(gys.getFirst());
    Tensor h = hs.getFirst();
    boolean inputs = last.in().gx() != null;
    if (of.isEmpty()) {
      multiply(
          Product.of(n, r, stack.outs(), stack.unscaled(), gy, stack.ofB(1), dh)
              .plus(stack.outs(), out.from(0), stack.ofB(0)));
      if (inputs) {
        out.copy(cuda, h, stack.outs() + r, r);
      }
    } else {
      GradientTangent first = of.getFirst();
      LoraPairs pairs = new LoraPairs(cuda, stack.slots(), first.g(), first.scale());
      Term own = new Term(out.from(0), matrix(first.kept().u()), stack.ofB(0));
      Term along = new Term(gy, matrix(first.tangent().du()), stack.ofB(1));
      adjoints.run(stack, n, List.of(own, along), dh, inputs ? h : null, pairs);
      LoraPairs.Term ofA = new LoraPairs.Term(dh, matrix(first.kept().xa()));
      Tensor dxa = first.tangent().dxa();
      pairs.addA(n, dxa == null ? List.of(ofA) : List.of(ofA, new LoraPairs.Term(matrix(h), matrix(dxa))));
    }
    if (inputs) {
      stack.openWide(theta, v);
      multiply(adjoint(stack, 2 * r, out, last.in()));
    }
    return true;
  }

  /** g (k,P) += scale·s·(h…ᵀxₐ, what is each layer's own of [ȳ…]ᵀ[u…]). */
  boolean gradient(LoraGroup<Gradient> group) {
    List<Gradient> calls = group.calls();
    Gradient first = calls.getFirst();
    List<Kept> kept = calls.stream().map(Gradient::kept).toList();
    LoraPairs pairs = new LoraPairs(cuda, calls.stream().map(Gradient::slot).toList(), first.g(), first.scale());
    boolean one = calls.stream().allMatch(call -> call.scale() == first.scale());
    if (!one || !pairs.joined() || !oneInput(kept) || !beside(kept)) {
      return false;
    }
    Kept of = kept.getFirst();
    pairs.add(
        of.xa().dim(0),
        List.of(new LoraPairs.Term(matrix(of.h()), matrix(of.xa()))),
        List.of(new LoraPairs.Term(matrix(of.gy()), matrix(of.u()))));
    return true;
  }

  /** g (k,P) += scale·s·(ḣ…ᵀxₐ + h…ᵀẋₐ, what is each layer's own of [ȳ̇…]ᵀ[u…] + [ȳ…]ᵀ[u̇…]). */
  boolean gradientTangent(LoraGroup<GradientTangent> group) {
    List<GradientTangent> calls = group.calls();
    GradientTangent first = calls.getFirst();
    List<Kept> kept = calls.stream().map(GradientTangent::kept).toList();
    List<Tensor> dgys = present(calls.stream().map(call -> call.tangent().dgy()).toList());
    List<Tensor> dhs = calls.stream().map(call -> call.tangent().dh()).toList();
    LoraPairs pairs =
        new LoraPairs(cuda, calls.stream().map(GradientTangent::slot).toList(), first.g(), first.scale());
    if (!oneInputs(calls) || dgys.size() < calls.size() || !pairs.joined() || !beside(kept) || !Columns.adjacent(dgys)
        || !Columns.adjacent(dhs)) {
      return false;
    }
    Kept of = kept.getFirst();
    Tensor dxa = first.tangent().dxa();
    LoraPairs.Term ofA = new LoraPairs.Term(matrix(dhs.getFirst()), matrix(of.xa()));
    pairs.add(
        of.xa().dim(0),
        dxa == null ? List.of(ofA) : List.of(ofA, new LoraPairs.Term(matrix(of.h()), matrix(dxa))),
        List.of(
            new LoraPairs.Term(matrix(of.gy()), matrix(first.tangent().du())),
            new LoraPairs.Term(matrix(dgys.getFirst()), matrix(of.u()))));
    return true;
  }

  /** Whether all read one x, and their u's lie beside each other. */
  private static boolean oneInput(List<Kept> kept) {
    Tensor xa = kept.getFirst().xa();
    return kept.stream().allMatch(each -> Columns.same(each.xa(), xa))
        && Columns.adjacent(kept.stream().map(Kept::u).toList());
  }

  /** Whether that holds for the tangents as well, and all are added with one factor. */
  private static boolean oneInputs(List<GradientTangent> calls) {
    Tensor dxa = calls.getFirst().tangent().dxa();
    return calls.stream().allMatch(call -> call.scale() == calls.getFirst().scale())
        && oneInput(calls.stream().map(GradientTangent::kept).toList())
        && calls.stream().allMatch(call -> Columns.same(call.tangent().dxa(), dxa))
        && Columns.adjacent(calls.stream().map(call -> call.tangent().du()).toList());
  }

  /** Whether the adjoints lie beside each other. */
  private static boolean beside(List<Kept> kept) {
    return Columns.adjacent(kept.stream().map(Kept::h).toList())
        && Columns.adjacent(kept.stream().map(Kept::gy).toList());
  }

  private void multiply(Product product) {
    cuda.products().multiply(product);
  }

  private static List<Tensor> present(List<Tensor> tensors) {
    return tensors.stream().filter(Objects::nonNull).toList();
  }

  /** θ or v of the layers that have one. */
  private static Tensor vectors(Stream<Tensor> of) {
    return of.filter(Objects::nonNull).findFirst().orElseThrow();
  }
}
