package dev.lethe.backend.cuda;

import static dev.lethe.backend.cuda.Cuda.matrix;
import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.LoraSlot;
import dev.lethe.backend.Packing;
import dev.lethe.backend.Require;
import dev.lethe.backend.cuda.blas.Operand;
import dev.lethe.backend.cuda.blas.Product;
import dev.lethe.backend.cuda.driver.Grid;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/**
 * Products of LoRA parameters' gradients: of the batch by matrix products into the flat gradient,
 * of each sequence by kernels/lora_samples.cu, which holds no gradient where only its norm is asked
 * for.
 */
final class LoraGradients {
  /** Threads of kernels that take a thread or a block a sequence. */
  private static final int THREADS = 128;

  private final Cuda cuda;

  LoraGradients(Cuda cuda) {
    this.cuda = cuda;
  }

  /** g (k,P) += scale·s·(hᵀxₐ, ȳᵀu). */
  void add(LoraSlot slot, Tensor xa, Tensor u, Tensor h, Tensor gy, double scale, Tensor g) {
    long k = requireVectors("lora.gradient: g", slot, g);
    long n = requireInputs("lora.gradient", slot, xa, u);
    requireAdjoints("lora.gradient", slot, h, gy, k, n);
    multiply(productA(slot, n, scale, matrix(h), matrix(xa), g));
    multiply(productB(slot, n, scale, matrix(gy), matrix(u), g));
  }

  /** g (k,P) += scale·s·(ḣᵀxₐ + hᵀẋₐ, ȳ̇ᵀu + ȳᵀu̇). */
  void addTangent(
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
    String what = "lora.gradientTangent";
    long k = requireVectors(what + ": g", slot, g);
    long n = requireInputs(what, slot, xa, u);
    Require.tensor(what + ": h", h, cuda.type(), n, slot.rank());
    Require.tensor(what + ": gy", gy, cuda.type(), n, slot.out());
    Require.tensor(what + ": dh", dh, cuda.type(), k, n, slot.rank());
    Require.tensor(what + ": du", du, cuda.type(), k, n, slot.rank());
    Require.tensorOrNull(what + ": dxa", dxa, cuda.type(), k, n, slot.in());
    Require.tensorOrNull(what + ": dgy", dgy, cuda.type(), k, n, slot.out());
    Product a = productA(slot, n, scale, matrix(dh), matrix(xa), g);
    multiply(dxa == null ? a : a.plus(n, matrix(h).transpose(), matrix(dxa)));
    Product b = productB(slot, n, scale, matrix(gy), matrix(du), g);
    multiply(dgy == null ? b : b.plus(n, matrix(dgy).transpose(), matrix(u)));
  }

  /** Row i of g (n,P) = scale·s·(hᵢᵀxᵢ, ȳᵢᵀuᵢ) at the slot's place. */
  void perSample(
      LoraSlot slot,
      Packing packing,
      Tensor xa,
      Tensor u,
      Tensor h,
      Tensor gy,
      double scale,
      Tensor g) {
    requireSamples("lora.perSampleGradient", slot, packing, xa, u, h, gy);
    long n = requireVectors("lora.perSampleGradient: g", slot, g);
    Require.that(n == packing.count(), "lora.perSampleGradient: g", packing.count() + " rows", g);
    store(slot, packing, h, xa, scale, g, slot.aOffset(), slot.in(), 1);
    store(slot, packing, u, gy, scale, g, slot.bOffset(), 1, slot.rank());
  }

  /** norms (n) += ‖gᵢ‖² of this slot. */
  void addSquaredNorms(
      LoraSlot slot, Packing packing, Tensor xa, Tensor u, Tensor h, Tensor gy, Tensor norms) {
    requireSamples("lora.perSampleSquaredNorm", slot, packing, xa, u, h, gy);
    Require.tensor("lora.perSampleSquaredNorm: norms", norms, F32, packing.count());
    squares(slot, packing, h, xa, norms);
    squares(slot, packing, u, gy, norms);
  }

  /** dots (k,n) += s·Σₜ (hₜ·(V_A xₜ) + uₜ·(V_Bᵀ ȳₜ)). */
  void addDots(
      LoraSlot slot,
      Packing packing,
      Tensor v,
      Tensor xa,
      Tensor u,
      Tensor h,
      Tensor gy,
      Tensor dots) {
    requireSamples("lora.perSampleDot", slot, packing, xa, u, h, gy);
    long k = requireVectors("lora.perSampleDot: v", slot, v);
    Require.tensor("lora.perSampleDot: dots", dots, F32, k, packing.count());
    long n = packing.rows();
    long r = slot.rank();
    if (n == 0) {
      return;
    }
    try (AdapterWeights weights = AdapterWeights.plainA(cuda, slot, null, v, 1);
        Scope scope = cuda.scratch("per-sample dots")) {
      Tensor q = scope.allocate(F32, k, n, r);
      Tensor p = scope.allocate(F32, k, n, r);
      Operand a = weights.plainDirections().transpose();
      multiply(Product.of(n, r, slot.in(), 1, matrix(xa), a, matrix(q)).batch(k));
      multiply(Product.of(n, r, slot.out(), 1, matrix(gy), weights.scaled(), matrix(p)).batch(k));
      cuda.kernel("lora_sample_dots")
          .with(cuda.packings().of(packing).starts())
          .with(h)
          .with(u)
          .with(q)
          .with(p)
          .with(dots)
          .with(n)
          .with(r)
          .with(packing.count())
          .with((float) slot.scale())
          .run(new Grid(packing.count(), Math.toIntExact(k), 1, THREADS, 0));
    }
  }

  /** g (k,P) += scale·Σᵢ cᵢ gᵢ: weights c (k,n). */
  void addWeighted(
      LoraSlot slot,
      Packing packing,
      Tensor weights,
      Tensor xa,
      Tensor u,
      Tensor h,
      Tensor gy,
      double scale,
      Tensor g) {
    requireSamples("lora.weightedGradient", slot, packing, xa, u, h, gy);
    long k = requireVectors("lora.weightedGradient: g", slot, g);
    Require.tensor("lora.weightedGradient: weights", weights, F32, k, packing.count());
    long n = packing.rows();
    try (Scope scope = cuda.scratch("weighted gradient")) {
      Operand weighedH = weigh(packing, weights, h, scope);
      Operand weighedU = weigh(packing, weights, u, scope);
      multiply(productA(slot, n, scale, weighedH, matrix(xa), g));
      multiply(productB(slot, n, scale, matrix(gy), weighedU, g));
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
        .with(weights.dim(1))
        .with(weights.dim(0))
        .run(cuda.elements(weighed.elements()));
    return matrix(weighed);
  }

  /** A's part of g (k,P) += scale·s·left (k,N,r)ᵀ·right (k,N,in); either may be one for all k. */
  private Product productA(
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
      LoraSlot slot,
      Packing packing,
      Tensor narrow,
      Tensor wide,
      double scale,
      Tensor g,
      long offset,
      long rankStride,
      long columnStride) {
    if (packing.count() == 0) {
      return;
    }
    long tiles = GemmTile.FLAT.count(slot.rank(), wide.dim(1));
    cuda.kernel("lora_sample_gradients")
        .with(cuda.packings().of(packing).starts())
        .with(narrow)
        .with(wide)
        .with(Cuda.address(g) + offset * F32.bytes())
        .with(g.dim(1))
        .with(rankStride)
        .with(columnStride)
        .with(slot.rank())
        .with(wide.dim(1))
        .with(tiles)
        .with((float) (scale * slot.scale()))
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
          .with(narrow)
          .with(wide)
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

  private static long requireVectors(String what, LoraSlot slot, Tensor g) {
    Require.rank(what, g, 2);
    AdapterWeights.requireHeld(what, slot, g);
    return g.dim(0);
  }

  private long requireInputs(String what, LoraSlot slot, Tensor xa, Tensor u) {
    Require.rank(what + ": xa", xa, 2);
    Require.tensor(what + ": xa", xa, cuda.type(), xa.dim(0), slot.in());
    Require.tensor(what + ": u", u, cuda.type(), xa.dim(0), slot.rank());
    return xa.dim(0);
  }

  private void requireAdjoints(String what, LoraSlot slot, Tensor h, Tensor gy, long k, long n) {
    Require.tensor(what + ": h", h, cuda.type(), k, n, slot.rank());
    Require.tensor(what + ": gy", gy, cuda.type(), k, n, slot.out());
  }

  private void requireSamples(
      String what, LoraSlot slot, Packing packing, Tensor xa, Tensor u, Tensor h, Tensor gy) {
    long n = packing.rows();
    Require.tensor(what + ": xa", xa, cuda.type(), n, slot.in());
    Require.tensor(what + ": u", u, cuda.type(), n, slot.rank());
    Require.tensor(what + ": h", h, cuda.type(), n, slot.rank());
    Require.tensor(what + ": gy", gy, cuda.type(), n, slot.out());
  }
}
