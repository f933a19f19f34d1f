package dev.lethe.backend.cuda.lora;

import static dev.lethe.backend.cuda.launch.Cuda.matrix;
import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.cuda.blas.Operand;
import dev.lethe.backend.cuda.blas.Product;
import dev.lethe.backend.cuda.driver.Grid;
import dev.lethe.backend.cuda.gemm.GemmTile;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.kernel.LoraGradientKernels.Gradient;
import dev.lethe.backend.kernel.LoraGradientKernels.GradientTangent;
import dev.lethe.backend.kernel.LoraGradientKernels.Kept;
import dev.lethe.backend.kernel.LoraGradientKernels.KeptTangent;
import dev.lethe.backend.kernel.LoraGradientKernels.PerSampleDot;
import dev.lethe.backend.kernel.LoraGradientKernels.PerSampleGradient;
import dev.lethe.backend.kernel.LoraGradientKernels.PerSampleSquaredNorm;
import dev.lethe.backend.kernel.LoraGradientKernels.WeightedGradient;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/**
 * Products of LoRA parameters' gradients: of the batch by matrix products into the flat gradient,
 * of each sequence by kernels/lora_samples.cu, which holds no gradient where only its norm is asked
 * for.
 */
final class CudaLoraGradients {
  /** Threads of kernels that take a thread or a block a sequence. */
  private static final int THREADS = 128;

  private final Cuda cuda;

  CudaLoraGradients(Cuda cuda) {
    this.cuda = cuda;
  }

  /** g (k,P) += scale·s·(hᵀxₐ, ȳᵀu). */
  void add(Gradient call) {
    LoraSlot slot = call.slot();
    Kept kept = call.kept();
    long n = kept.xa().dim(0);
    multiply(productA(slot, n, call.scale(), matrix(kept.h()), matrix(kept.xa()), call.g()));
    multiply(productB(slot, n, call.scale(), matrix(kept.gy()), matrix(kept.u()), call.g()));
  }

  /** g (k,P) += scale·s·(ḣᵀxₐ + hᵀẋₐ, ȳ̇ᵀu + ȳᵀu̇). */
  void addTangent(GradientTangent call) {
    LoraSlot slot = call.slot();
    Kept kept = call.kept();
    KeptTangent d = call.tangent();
    long n = kept.xa().dim(0);
    Product a = productA(slot, n, call.scale(), matrix(d.dh()), matrix(kept.xa()), call.g());
    multiply(d.dxa() == null ? a : a.plus(n, matrix(kept.h()).transpose(), matrix(d.dxa())));
    Product b = productB(slot, n, call.scale(), matrix(kept.gy()), matrix(d.du()), call.g());
    multiply(d.dgy() == null ? b : b.plus(n, matrix(d.dgy()).transpose(), matrix(kept.u())));
  }

  /** Row i of g (n,P) = scale·s·(hᵢᵀxᵢ, ȳᵢᵀuᵢ) at the slot's place. */
  void perSample(PerSampleGradient call) {
    LoraSlot slot = call.slot();
    Kept kept = call.kept();
    store(call, kept.h(), kept.xa(), slot.aOffset(), slot.in(), 1);
    store(call, kept.u(), kept.gy(), slot.bOffset(), 1, slot.rank());
  }

  /** norms (n) += ‖gᵢ‖² of this slot. */
  void addSquaredNorms(PerSampleSquaredNorm call) {
    Kept kept = call.kept();
    squares(call.slot(), call.packing(), kept.h(), kept.xa(), call.norms());
    squares(call.slot(), call.packing(), kept.u(), kept.gy(), call.norms());
  }

  /** dots (k,n) += s·Σₜ (hₜ·(V_A xₜ) + uₜ·(V_Bᵀ ȳₜ)). */
  void addDots(PerSampleDot call) {
    LoraSlot slot = call.slot();
    Packing packing = call.packing();
    Kept kept = call.kept();
    long k = call.v().dim(0);
    long n = packing.rows();
    long r = slot.rank();
    if (n == 0) {
      return;
    }
    try (AdapterWeights weights = AdapterWeights.plainA(cuda, slot, null, call.v(), 1);
        Scope scope = cuda.scratch("per-sample dots")) {
      Tensor q = scope.allocate(F32, k, n, r);
      Tensor p = scope.allocate(F32, k, n, r);
      Operand a = weights.plainDirections().transpose();
      Operand b = weights.scaled();
      multiply(Product.of(n, r, slot.in(), 1, matrix(kept.xa()), a, matrix(q)).batch(k));
      multiply(Product.of(n, r, slot.out(), 1, matrix(kept.gy()), b, matrix(p)).batch(k));
      cuda.kernel("lora_sample_dots")
          .with(cuda.packings().of(packing).starts())
          .with(kept.h()).with(kept.h().stride())
          .with(kept.u()).with(kept.u().stride())
          .with(q)
          .with(p)
          .with(call.dots())
          .with(n)
          .with(r)
          .with(packing.count())
          .with((float) slot.scale())
          .run(new Grid(packing.count(), Math.toIntExact(k), 1, THREADS, 0));
    }
  }

  /** g (k,P) += scale·Σᵢ cᵢ gᵢ: weights c (k,n). */
  void addWeighted(WeightedGradient call) {
    LoraSlot slot = call.slot();
    Kept kept = call.kept();
    long n = call.packing().rows();
    try (Scope scope = cuda.scratch("weighted gradient")) {
      Operand weighedH = weigh(call.packing(), call.weights(), kept.h(), scope);
      Operand weighedU = weigh(call.packing(), call.weights(), kept.u(), scope);
      multiply(productA(slot, n, call.scale(), weighedH, matrix(kept.xa()), call.g()));
      multiply(productB(slot, n, call.scale(), matrix(kept.gy()), weighedU, call.g()));
    }
  }

  /** The rows of x (N,r) times their sequences' weights (k,n): (k,N,r). */
  private Operand weigh(Packing packing, Tensor weights, Tensor x, Scope scope) {
    Tensor weighed = scope.allocate(cuda.type(), weights.dim(0), x.dim(0), x.dim(1));
    cuda.kernel("lora_weigh_rows")
        .with(weights)
        .with(cuda.packings().of(packing).sequences())
        .with(x)
        .with(weighed)
        .with(x.dim(0))
        .with(x.dim(1))
        .with(x.stride())
        .with(weights.dim(1))
        .with(weights.dim(0))
        .run(cuda.elements(weighed.elements()));
    return matrix(weighed);
  }

  /** A's part of g (k,P) += scale·s·left (k,N,r)ᵀ·right (k,N,in); either may be one for all k. */
  static Product productA(
      LoraSlot slot, long n, double scale, Operand left, Operand right, Tensor g) {
    Operand target = part(g, slot.aOffset(), slot.in());
    double factor = scale * slot.scale();
    return Product.of(slot.rank(), slot.in(), n, factor, left.transpose(), right, target)
        .batch(g.dim(0))
        .added();
  }

  /** B's part of g (k,P) += scale·s·left (k,N,out)ᵀ·right (k,N,r); either may be one for all k. */
  private Product productB(
      LoraSlot slot, long n, double scale, Operand left, Operand right, Tensor g) {
    Operand target = part(g, slot.bOffset(), slot.rank());
    double factor = scale * slot.scale();
    return Product.of(slot.out(), slot.rank(), n, factor, left.transpose(), right, target)
        .batch(g.dim(0))
        .added();
  }

  private static Operand part(Tensor g, long offset, long columns) {
    return Operand.of(Cuda.address(g) + offset * F32.bytes(), F32, columns).every(g.dim(1));
  }

  private void store(
      PerSampleGradient call,
      Tensor narrow,
      Tensor wide,
      long offset,
      long rankStride,
      long columnStride) {
    Packing packing = call.packing();
    LoraSlot slot = call.slot();
    if (packing.count() == 0) {
      return;
    }
    long tiles = GemmTile.FLAT.count(slot.rank(), wide.dim(1));
    cuda.kernel("lora_sample_gradients")
        .with(cuda.packings().of(packing).starts())
        .with(narrow).with(narrow.stride())
        .with(wide).with(wide.stride())
        .with(Cuda.address(call.g()) + offset * F32.bytes())
        .with(call.g().dim(1))
        .with(rankStride)
        .with(columnStride)
        .with(slot.rank())
        .with(wide.dim(1))
        .with(tiles)
        .with((float) (call.scale() * slot.scale()))
        .run(sampleGrid(packing, tiles));
  }

  private void squares(LoraSlot slot, Packing packing, Tensor narrow, Tensor wide, Tensor norms) {
    if (packing.count() == 0) {
      return;
    }
    long tiles = GemmTile.FLAT.count(slot.rank(), wide.dim(1));
    try (Scope scope = cuda.scratch("squared norms")) {
      Tensor squares = scope.allocate(F32, packing.count(), tiles);
      cuda.kernel("lora_sample_squares")
          .with(cuda.packings().of(packing).starts())
          .with(narrow).with(narrow.stride())
          .with(wide).with(wide.stride())
          .with(squares)
          .with(slot.rank())
          .with(wide.dim(1))
          .with(tiles)
          .run(sampleGrid(packing, tiles));
      cuda.plainKernel("lora_sample_norms")
          .with(squares)
          .with(norms)
          .with(packing.count())
          .with(tiles)
          .with((float) (slot.scale() * slot.scale()))
          .run(Grid.of(Math.ceilDiv(packing.count(), THREADS), THREADS));
    }
  }

  /** A block for each of the tiles of every sequence's gradient. */
  private Grid sampleGrid(Packing packing, long tiles) {
    return Grid.of(packing.count() * tiles, GemmTile.FLAT.threads(cuda.type()))
        .shared(GemmTile.FLAT.sharedBytes(cuda.type(), true, false));
  }

  private void multiply(Product product) {
    cuda.products().multiply(product);
  }
}
