package dev.lethe.backend.cuda;

import static dev.lethe.backend.cuda.Cuda.matrix;

import dev.lethe.backend.LoraKernels;
import dev.lethe.backend.LoraLinear;
import dev.lethe.backend.LoraSlot;
import dev.lethe.backend.Packing;
import dev.lethe.backend.Require;
import dev.lethe.backend.cuda.blas.Operand;
import dev.lethe.backend.cuda.blas.Product;
import dev.lethe.tensor.Tensor;

/**
 * The LoRA linear layer by matrix products: the adapter's part is a second term of the frozen
 * product, of depth r for values and 2r for tangents, so that outputs are written once where the
 * products allow it.
 */
final class CudaLora implements LoraKernels {
  private final Cuda cuda;
  private final LoraGradients gradients;

  CudaLora(Cuda cuda) {
    this.cuda = cuda;
    this.gradients = new LoraGradients(cuda);
  }

  @Override
  public void forward(LoraLinear layer, Tensor theta, Tensor x, Tensor xa, Tensor u, Tensor y) {
    CudaLinear w = CudaLinear.of(layer.weight());
    Require.rank("lora.forward: x", x, 2);
    long n = x.dim(0);
    Require.tensor("lora.forward: x", x, cuda.type(), n, w.in());
    Require.tensor("lora.forward: y", y, cuda.type(), n, w.out());
    Product product = forwardProduct(w, x, y);
    if (layer.hasAdapter()) {
      LoraSlot slot = requireFit("lora.forward", layer, w);
      long r = slot.rank();
      Require.tensor("lora.forward: xa", xa, cuda.type(), n, w.in());
      Require.tensor("lora.forward: u", u, cuda.type(), n, r);
      try (AdapterWeights weights =
          AdapterWeights.plainA(cuda, slot, theta, null, slot.scale())) {
        Operand a = weights.plain().transpose();
        multiply(Product.of(n, r, slot.in(), 1, matrix(xa), a, matrix(u)));
        multiply(product.plus(r, matrix(u), weights.scaled().transpose()));
      }
    } else {
      multiply(product);
    }
    addBias(w, y);
  }

  @Override
  public void tangent(
      LoraLinear layer,
      Tensor theta,
      Tensor v,
      Tensor xa,
      Tensor u,
      Tensor dx,
      Tensor dxa,
      Tensor du,
      Tensor dy) {
    CudaLinear w = CudaLinear.of(layer.weight());
    Require.rank("lora.tangent: dy", dy, 3);
    long k = dy.dim(0);
    long n = dy.dim(1);
    Tensor input = dxa == null ? dx : dxa;
    Require.tensor("lora.tangent: dy", dy, cuda.type(), k, n, w.out());
    Require.tensorOrNull("lora.tangent: dx", dx, cuda.type(), k, n, w.in());
    Require.tensorOrNull("lora.tangent: dxa", input, cuda.type(), k, n, w.in());
    if (!layer.hasAdapter()) {
      if (dx == null) {
        cuda.zero(dy);
      } else {
        multiply(forwardProduct(w, dx, dy));
      }
      return;
    }
    LoraSlot slot = requireFit("lora.tangent", layer, w);
    long r = slot.rank();
    Require.tensor("lora.tangent: xa", xa, cuda.type(), n, w.in());
    Require.tensor("lora.tangent: u", u, cuda.type(), n, r);
    Require.tensor("lora.tangent: du", du, cuda.type(), k, n, r);
    requireDirections("lora.tangent: v", v, k);
    try (AdapterWeights weights = AdapterWeights.plainA(cuda, slot, theta, v, slot.scale())) {
      Operand directions = weights.plainDirections().transpose();
      Product narrow =
          Product.of(n, r, slot.in(), 1, matrix(xa), directions, matrix(du)).batch(k);
      if (input != null) {
        narrow = narrow.plus(slot.in(), matrix(input), weights.plain().transpose());
      }
      multiply(narrow);
      Operand both = weights.join(du, u);
      Operand pair = weights.scaled().transpose();
      multiply(
          dx == null
              ? Product.of(n, w.out(), 2 * r, 1, both, pair, matrix(dy)).batch(k)
              : forwardProduct(w, dx, dy).plus(2 * r, both, pair));
    }
  }

  @Override
  public void backward(
      LoraLinear layer,
      Tensor theta,
      Tensor gy,
      Tensor h,
      Tensor gx,
      Tensor gxa,
      boolean accumulate) {
    CudaLinear w = CudaLinear.of(layer.weight());
    Require.rank("lora.backward: gy", gy, 3);
    long k = gy.dim(0);
    long n = gy.dim(1);
    Require.tensor("lora.backward: gy", gy, cuda.type(), k, n, w.out());
    requireInputs("lora.backward", w, gx, gxa, k, n);
    Product frozen = gx == null ? null : backwardProduct(w, gy, gx, accumulate);
    if (!layer.hasAdapter()) {
      multiply(frozen);
      return;
    }
    LoraSlot slot = requireFit("lora.backward", layer, w);
    long r = slot.rank();
    Require.tensor("lora.backward: h", h, cuda.type(), k, n, r);
    try (AdapterWeights weights = AdapterWeights.plainB(cuda, slot, theta, null, slot.scale())) {
      multiply(Product.of(n, r, slot.out(), 1, matrix(gy), weights.plain(), matrix(h)).batch(k));
      if (gx != null || gxa != null) {
        addAdapter(frozen, r, matrix(h), weights.scaled(), gx, gxa, false);
      }
    }
  }

  @Override
  public void backwardTangent(
      LoraLinear layer,
      Tensor theta,
      Tensor v,
      Tensor gy,
      Tensor h,
      Tensor dgy,
      Tensor dh,
      Tensor dgx,
      Tensor dgxa,
      boolean accumulate) {
    CudaLinear w = CudaLinear.of(layer.weight());
    Tensor shape = layer.hasAdapter() ? dh : dgx;
    Require.rank("lora.backwardTangent: dh or dgx", shape, 3);
    long k = shape.dim(0);
    long n = shape.dim(1);
    Require.tensorOrNull("lora.backwardTangent: dgy", dgy, cuda.type(), k, n, w.out());
    requireInputs("lora.backwardTangent", w, dgx, dgxa, k, n);
    Product frozen =
        dgx == null || dgy == null ? null : backwardProduct(w, dgy, dgx, accumulate);
    boolean alone = !layer.hasAdapter() || dgxa != null;
    if (dgx != null && dgy == null && alone && !accumulate) {
      cuda.zero(dgx);
    }
    if (!layer.hasAdapter()) {
      multiply(frozen);
      return;
    }
    LoraSlot slot = requireFit("lora.backwardTangent", layer, w);
    long r = slot.rank();
    Require.tensor("lora.backwardTangent: dh", dh, cuda.type(), k, n, r);
    Require.tensor("lora.backwardTangent: gy", gy, cuda.type(), n, w.out());
    Require.tensor("lora.backwardTangent: h", h, cuda.type(), n, r);
    requireDirections("lora.backwardTangent: v", v, k);
    try (AdapterWeights weights = AdapterWeights.plainB(cuda, slot, theta, v, slot.scale())) {
      Operand directions = weights.plainDirections();
      Product narrow =
          Product.of(n, r, slot.out(), 1, matrix(gy), directions, matrix(dh)).batch(k);
      if (dgy != null) {
        narrow = narrow.plus(slot.out(), matrix(dgy), weights.plain());
      }
      multiply(narrow);
      if (dgx != null || dgxa != null) {
        Operand both = weights.join(dh, h);
        addAdapter(frozen, 2 * r, both, weights.scaled(), dgx, dgxa, accumulate);
      }
    }
  }

  @Override
  public void gradient(
      LoraSlot slot, Tensor xa, Tensor u, Tensor h, Tensor gy, double scale, Tensor g) {
    gradients.add(slot, xa, u, h, gy, scale, g);
  }

  @Override
  public void gradientTangent(
      LoraSlot slot,
      Tensor xa,
      Tensor u,
      Tensor dxa,
      Tensor du,
      Tensor h,
      Tensor gy,
      Tensor dh,
      Tensor dgy,
      double scale,
      Tensor g) {
    gradients.addTangent(slot, xa, u, dxa, du, h, gy, dh, dgy, scale, g);
  }

  @Override
  public void perSampleGradient(
      LoraSlot slot,
      Packing packing,
      Tensor xa,
      Tensor u,
      Tensor h,
      Tensor gy,
      double scale,
      Tensor g) {
    gradients.perSample(slot, packing, xa, u, h, gy, scale, g);
  }

  @Override
  public void perSampleSquaredNorm(
      LoraSlot slot, Packing packing, Tensor xa, Tensor u, Tensor h, Tensor gy, Tensor norms) {
    gradients.addSquaredNorms(slot, packing, xa, u, h, gy, norms);
  }

  @Override
  public void perSampleDot(
      LoraSlot slot,
      Packing packing,
      Tensor v,
      Tensor xa,
      Tensor u,
      Tensor h,
      Tensor gy,
      Tensor dots) {
    gradients.addDots(slot, packing, v, xa, u, h, gy, dots);
  }

  @Override
  public void weightedGradient(
      LoraSlot slot,
      Packing packing,
      Tensor weights,
      Tensor xa,
      Tensor u,
      Tensor h,
      Tensor gy,
      double scale,
      Tensor g) {
    gradients.addWeighted(slot, packing, weights, xa, u, h, gy, scale, g);
  }

  /** y = x·Wᵀ for x (N,in) or (k,N,in). */
  private static Product forwardProduct(CudaLinear w, Tensor x, Tensor y) {
    return Product.of(
            rows(x), w.out(), w.in(), 1, matrix(x), matrix(w.weight()).transpose(), matrix(y))
        .batch(directions(x));
  }

  /** x̄ = ȳ·W for ȳ (k,N,out). */
  private static Product backwardProduct(CudaLinear w, Tensor gy, Tensor gx, boolean accumulate) {
    Require.that(
        w.transposed(),
        "lora.backward: weight",
        "one frozen with transposed = true",
        "one without");
    Product product =
        Product.of(rows(gy), w.in(), w.out(), 1, matrix(gy), matrix(w.weight()), matrix(gx))
            .batch(directions(gy));
    return accumulate ? product.added() : product;
  }

  /**
   * The frozen product, if any, and low (k,N,depth)·wide (depth,in): into gx together, or into gx
   * and gxa.
   *
   * @param accumulate whether gx is added to where the frozen product is null
   */
  private void addAdapter(
      Product frozen,
      long depth,
      Operand low,
      Operand wide,
      Tensor gx,
      Tensor gxa,
      boolean accumulate) {
    if (frozen != null && gxa == null) {
      multiply(frozen.plus(depth, low, wide));
      return;
    }
    multiply(frozen);
    Tensor target = gxa == null ? gx : gxa;
    Product product =
        Product.of(rows(target), target.dim(2), depth, 1, low, wide, matrix(target))
            .batch(directions(target));
    multiply(gxa == null && accumulate ? product.added() : product);
  }

  private void multiply(Product product) {
    if (product != null) {
      cuda.products().multiply(product);
    }
  }

  private void addBias(CudaLinear w, Tensor y) {
    if (w.bias() != null) {
      cuda.kernel("lora_bias")
          .with(w.bias())
          .with(y)
          .with(y.dim(0))
          .with(w.out())
          .run(cuda.elements(y.elements()));
    }
  }

  private static LoraSlot requireFit(String what, LoraLinear layer, CudaLinear w) {
    LoraSlot slot = layer.slot();
    Require.that(
        slot.in() == w.in() && slot.out() == w.out(),
        what + ": slot",
        "an adapter of " + w.in() + " inputs and " + w.out() + " outputs",
        slot);
    return slot;
  }

  private static void requireDirections(String what, Tensor v, long k) {
    Require.rank(what, v, 2);
    Require.that(v.dim(0) == k, what, k + " rows", v);
  }

  private void requireInputs(String what, CudaLinear w, Tensor gx, Tensor gxa, long k, long n) {
    Require.tensorOrNull(what + ": input adjoint", gx, cuda.type(), k, n, w.in());
    Require.tensorOrNull(what + ": adapter input adjoint", gxa, cuda.type(), k, n, w.in());
  }

  private static long rows(Tensor x) {
    return x.dim(x.shape().rank() - 2);
  }

  private static long directions(Tensor x) {
    return x.shape().rank() == 3 ? x.dim(0) : 1;
  }
}
