package dev.lethe.backend.cuda.lora;

import static dev.lethe.backend.cuda.launch.Cuda.matrix;

import dev.lethe.backend.cuda.blas.Operand;
import dev.lethe.backend.cuda.blas.Product;
import dev.lethe.backend.cuda.gemm.CudaLinear;
import dev.lethe.backend.cuda.gemm.OpenLinear;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.kernel.LoraGroup;
import dev.lethe.backend.kernel.LoraKernels;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.tensor.Tensor;

/**
 * The LoRA linear layer by matrix products: the adapter's part is a second term of the frozen
 * product, of depth r for values and 2r for tangents, so that outputs are written once where the
 * products allow it.
 */
public final class CudaLora implements LoraKernels {
  private final Cuda cuda;
  private final CudaLoraGradients gradients;
  private final CudaLoraGroup together;

  public CudaLora(Cuda cuda) {
    this.cuda = cuda;
    this.gradients = new CudaLoraGradients(cuda);
    this.together = new CudaLoraGroup(cuda);
  }

  @Override
  public void forwards(LoraGroup<Forward> group) {
    if (together.forward(group)) {
      group.calls().forEach(this::addBias);
    } else {
      LoraKernels.super.forwards(group);
    }
  }

  @Override
  public void tangents(LoraGroup<Tangent> group) {
    if (!together.tangent(group)) {
      LoraKernels.super.tangents(group);
    }
  }

  @Override
  public void backwards(LoraGroup<Backward> group) {
    if (!together.backward(group)) {
      LoraKernels.super.backwards(group);
    }
  }

  @Override
  public void backwardTangents(LoraGroup<BackwardTangent> group) {
    if (!together.backwardTangent(group)) {
      LoraKernels.super.backwardTangents(group);
    }
  }

  @Override
  public void gradients(LoraGroup<Gradient> group) {
    if (!together.gradient(group)) {
      LoraKernels.super.gradients(group);
    }
  }

  @Override
  public void gradientTangents(LoraGroup<GradientTangent> group) {
    if (!together.gradientTangent(group)) {
      LoraKernels.super.gradientTangents(group);
    }
  }

  @Override
  public void backwardsAndGradients(LoraGroup<Backward> adjoint, LoraGroup<Gradient> gradient) {
    if (!together.backward(adjoint, gradient)) {
      LoraKernels.super.backwardsAndGradients(adjoint, gradient);
    }
  }

  @Override
  public void backwardAndGradientTangents(
      LoraGroup<BackwardTangent> adjoint, LoraGroup<GradientTangent> gradient) {
    if (!together.backwardTangent(adjoint, gradient)) {
      LoraKernels.super.backwardAndGradientTangents(adjoint, gradient);
    }
  }

  @Override
  public void forward(Forward call) {
    try (OpenLinear w = new OpenLinear(cuda, call.layer().weight())) {
      forward(call, w);
    }
  }

  private void forward(Forward call, OpenLinear w) {
    LoraSlot slot = call.layer().slot();
    Product product = forwardProduct(w, call.x(), call.y());
    if (slot != null) {
      long r = slot.rank();
      try (AdapterWeights weights =
          AdapterWeights.plainA(cuda, slot, call.theta(), null, slot.scale())) {
        Operand a = weights.plain().transpose();
        multiply(
            Product.of(call.x().dim(0), r, slot.in(), 1, matrix(call.xa()), a, matrix(call.u())));
        multiply(product.plus(r, matrix(call.u()), weights.scaled().transpose()));
      }
    } else {
      multiply(product);
    }
    addBias(call);
  }

  @Override
  public void tangent(Tangent call) {
    try (OpenLinear w = new OpenLinear(cuda, call.layer().weight())) {
      tangent(call, w);
    }
  }

  private void tangent(Tangent call, OpenLinear w) {
    LoraSlot slot = call.layer().slot();
    Tensor dx = call.in().dx();
    Tensor dxa = call.in().ofAdapter();
    Tensor du = call.du();
    Tensor dy = call.dy();
    if (slot == null) {
      multiply(dx == null ? nothing(w, dy) : forwardProduct(w, dx, dy));
      return;
    }
    long k = dy.dim(0);
    long n = dy.dim(1);
    long r = slot.rank();
    try (AdapterWeights weights =
        AdapterWeights.plainA(cuda, slot, call.theta(), call.v(), slot.scale())) {
      Operand directions = weights.plainDirections().transpose();
      Product narrow =
          Product.of(n, r, slot.in(), 1, matrix(call.xa()), directions, matrix(du)).batch(k);
      if (dxa != null) {
        narrow = narrow.plus(slot.in(), matrix(dxa), weights.plain().transpose());
      }
      multiply(narrow);
      Operand both = weights.join(du, call.u());
      Operand pair = weights.scaled().transpose();
      multiply(
          dx == null
              ? Product.of(n, w.out(), 2 * r, 1, both, pair, matrix(dy)).batch(k)
              : forwardProduct(w, dx, dy).plus(2 * r, both, pair));
    }
  }

  @Override
  public void backward(Backward call) {
    try (OpenLinear w = new OpenLinear(cuda, call.layer().weight())) {
      backward(call, w);
    }
  }

  private void backward(Backward call, OpenLinear w) {
    LoraSlot slot = call.layer().slot();
    Tensor gy = call.gy();
    Tensor h = call.h();
    Product frozen = backwardProduct(w, gy, call.in());
    if (slot == null) {
      multiply(frozen);
      return;
    }
    long r = slot.rank();
    try (AdapterWeights weights =
        AdapterWeights.plainB(cuda, slot, call.theta(), null, slot.scale())) {
      multiply(
          Product.of(gy.dim(1), r, slot.out(), 1, matrix(gy), weights.plain(), matrix(h))
              .batch(gy.dim(0)));
      if (call.in().any()) {
        addAdapter(frozen, r, matrix(h), weights.scaled(), call.in());
      }
    }
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    try (OpenLinear w = new OpenLinear(cuda, call.layer().weight())) {
      backwardTangent(call, w);
    }
  }

  private void backwardTangent(BackwardTangent call, OpenLinear w) {
    LoraSlot slot = call.layer().slot();
    InputAdjoint in = call.in();
    Tensor dgy = call.dgy();
    Product frozen = backwardProduct(w, dgy, in);
    boolean alone = slot == null || in.gxa() != null;
    if (in.gx() != null && dgy == null && alone && !in.accumulate()) {
      cuda.zero(in.gx());
    }
    if (slot == null) {
      multiply(frozen);
      return;
    }
    long r = slot.rank();
    try (AdapterWeights weights =
        AdapterWeights.plainB(cuda, slot, call.theta(), call.v(), slot.scale())) {
      Operand directions = weights.plainDirections();
      Product narrow =
          Product.of(
                  call.rows(), r, slot.out(), 1, matrix(call.gy()), directions, matrix(call.dh()))
              .batch(call.directions());
      if (dgy != null) {
        narrow = narrow.plus(slot.out(), matrix(dgy), weights.plain());
      }
      multiply(narrow);
      if (in.any()) {
        addAdapter(frozen, 2 * r, weights.join(call.dh(), call.h()), weights.scaled(), in);
      }
    }
  }

  @Override
  public void gradient(Gradient call) {
    gradients.add(call);
  }

  @Override
  public void gradientTangent(GradientTangent call) {
    gradients.addTangent(call);
  }

  @Override
  public void perSampleGradient(PerSampleGradient call) {
    gradients.perSample(call);
  }

  @Override
  public void perSampleSquaredNorm(PerSampleSquaredNorm call) {
    gradients.addSquaredNorms(call);
  }

  @Override
  public void perSampleDot(PerSampleDot call) {
    gradients.addDots(call);
  }

  @Override
  public void weightedGradient(WeightedGradient call) {
    gradients.addWeighted(call);
  }

  /** y = x·Wᵀ for x (N,in) or (k,N,in). */
  private static Product forwardProduct(OpenLinear w, Tensor x, Tensor y) {
    return Product.of(
            rows(x), w.out(), w.in(), 1, matrix(x), matrix(w.weight()).transpose(), matrix(y))
        .batch(directions(x));
  }

  /** A product of no depth: zeros, whose rows may be apart. */
  private static Product nothing(OpenLinear w, Tensor y) {
    Operand weight = matrix(w.weight());
    return Product.of(rows(y), w.out(), 0, 1, weight, weight.transpose(), matrix(y)).batch(directions(y));
  }

  /** x̄ = ȳ·W for ȳ (k,N,out); null where either is. */
  private static Product backwardProduct(OpenLinear w, Tensor gy, InputAdjoint to) {
    if (gy == null || to.gx() == null) {
      return null;
    }
    Product product =
        Product.of(rows(gy), w.in(), w.out(), 1, matrix(gy), matrix(w.weight()), matrix(to.gx()))
            .batch(directions(gy));
    return to.accumulate() ? product.added() : product;
  }

  /**
   * The frozen product, if any, and low (k,N,depth)·wide (depth,in): into gx together, or into gx
   * and gxa.
   */
  private void addAdapter(Product frozen, long depth, Operand low, Operand wide, InputAdjoint to) {
    boolean shared = to.gxa() == null;
    if (frozen != null && shared) {
      multiply(frozen.plus(depth, low, wide));
      return;
    }
    multiply(frozen);
    Tensor target = shared ? to.gx() : to.gxa();
    Product product =
        Product.of(rows(target), target.dim(2), depth, 1, low, wide, matrix(target))
            .batch(directions(target));
    multiply(shared && to.accumulate() ? product.added() : product);
  }

  private void multiply(Product product) {
    if (product != null) {
      cuda.products().multiply(product);
    }
  }

  private void addBias(Forward call) {
    Tensor bias = CudaLinear.of(call.layer().weight()).bias();
    Tensor y = call.y();
    if (bias != null) {
      cuda.kernel("lora_bias")
          .with(bias)
          .with(y)
          .with(y.dim(0))
          .with(y.dim(1))
          .with(y.stride())
          .run(cuda.elements(y.elements()));
    }
  }

  private static long rows(Tensor x) {
    return x.dim(x.shape().rank() - 2);
  }

  private static long directions(Tensor x) {
    return x.shape().rank() == 3 ? x.dim(0) : 1;
  }
}
