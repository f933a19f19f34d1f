package dev.lethe.bench.predict;

import static dev.lethe.bench.predict.H200.ISSUE_SHARE_8_WARPS;
import static dev.lethe.bench.predict.H200.MULTIPROCESSORS;
import static dev.lethe.bench.predict.H200.SKINNY_SHARE;
import static dev.lethe.bench.predict.H200.STREAM_SHARE;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * The launches of linear layers that read one input, as backend.cuda's CudaLoraGroup makes them with cuBLAS, or CudaLora
 * one layer after another where they cannot go together.
 *
 * @param rows of activations
 */
record LoraWork(double rows, double in, List<Layer> layers, double batch) {
  private static final int BF16 = 2;
  private static final int F32 = 4;
  private static final int TILE_COLUMNS = 128;

  /** Columns and rows around a stack of weights: CudaLinear.BORDER. */
  private static final int BORDER = 128;

  /** A block of lora_adjoint: its outputs, rows of a tile, warps, and the most ranks; its loops are as compiled for sm_90a. */
  private static final double ADJOINT_COLUMNS = 512;

  private static final double ADJOINT_ROWS = 32;
  private static final double ADJOINT_WARPS = 8;
  private static final double ADJOINT_RANK = 32;

  /**
   * @param rank of its pair; 0: it has none
   */
  record Layer(double out, double rank) {}

  private double out() {
    return layers.stream().mapToDouble(Layer::out).sum();
  }

  private double rank() {
    return layers.stream().mapToDouble(Layer::rank).sum();
  }

  /** Whether all layers have pairs: only then do adjoints lie side by side where they are kept. */
  private boolean whole() {
    return layers.stream().allMatch(layer -> layer.rank() > 0);
  }

  List<KernelWork> forward() {
    if (rank() == 0) {
      return List.of(ProductWork.of("frozen", rows, out(), in));
    }
    if (rank() > BORDER) {
      return each(LoraWork::forwardAlone);
    }
    return List.of(
        border(1),
        ProductWork.of("lora_narrow", rows, rank(), in),
        ProductWork.of("frozen", rows, out(), in + rank()));
  }

  private List<KernelWork> forwardAlone() {
    return List.of(
        border(1),
        ProductWork.of("lora_narrow", rows, rank(), in),
        ProductWork.of("lora_wide", rows, out(), rank()),
        ProductWork.added("frozen", rows, out(), in));
  }

  List<KernelWork> tangent() {
    if (rank() == 0) {
      return List.of(ProductWork.of("frozen", rows, out(), in));
    }
    List<KernelWork> work = narrowTangents(in);
    if (2 * rank() <= BORDER) {
      work.add(ProductWork.of("frozen", rows, out(), in + 2 * rank()));
      return work;
    }
    return each(
        layer -> {
          List<KernelWork> alone = layer.narrowTangents(in);
          alone.add(ProductWork.of("lora_wide", rows, layer.out(), 2 * layer.rank()));
          alone.add(ProductWork.added("frozen", rows, layer.out(), in));
          return alone;
        });
  }

  List<KernelWork> backward() {
    if (rank() == 0) {
      return List.of(ProductWork.of("frozen", rows, in, out()));
    }
    if (rank() > BORDER) {
      return eachAdding(LoraWork::backwardAlone);
    }
    return List.of(
        border(1),
        ProductWork.of("lora_narrow", rows, rank(), out()),
        ProductWork.of("frozen", rows, in, out() + rank()));
  }

  private List<KernelWork> backwardAlone(boolean accumulate) {
    return List.of(
        border(1),
        ProductWork.of("lora_narrow", rows, rank(), out()),
        wideBack(rank(), accumulate),
        ProductWork.added("frozen", rows, in, out()));
  }

  private List<KernelWork> backwardTangent() {
    if (rank() == 0) {
      return List.of(ProductWork.of("frozen", rows, in, out()));
    }
    if (2 * rank() > BORDER || !whole()) {
      return eachAdding(LoraWork::backwardTangentAlone);
    }
    List<KernelWork> work = narrowTangents(out());
    work.add(ProductWork.of("frozen", rows, in, out() + 2 * rank()));
    return work;
  }

  private List<KernelWork> backwardTangentAlone(boolean accumulate) {
    if (rank() == 0) {
      return List.of(
          accumulate ? ProductWork.added("frozen", rows, in, out()) : ProductWork.of("frozen", rows, in, out()));
    }
    List<KernelWork> work = narrowTangents(out());
    work.add(wideBack(2 * rank(), accumulate));
    work.add(ProductWork.added("frozen", rows, in, out()));
    return work;
  }

  /** Of the batch. */
  private List<KernelWork> gradient() {
    if (rank() == 0) {
      return List.of();
    }
    if (layers.size() == 1 || !whole()) {
      return each(LoraWork::gradientProducts);
    }
    List<KernelWork> work = new ArrayList<>(gradientProducts());
    double bytes = F32 * (rank() * (in + out()) + 2 * pairs());
    work.add(KernelWork.stream("lora_add_gradients", 1, bytes, STREAM_SHARE));
    return work;
  }

  private List<KernelWork> gradientProducts() {
    return rank() == 0
        ? List.of()
        : List.of(
            ProductWork.gradient("lora_gradient", rank(), in, rows),
            ProductWork.gradient("lora_gradient", out(), rank(), rows));
  }

  /** The same of each direction: two terms each. */
  private List<KernelWork> gradientTangent() {
    return gradient().stream()
        .map(work -> work.name().equals("lora_gradient") ? work.times(2) : work)
        .toList();
  }

  /** Both with outputs' adjoints read once, as CudaLoraAdjoint does. */
  List<KernelWork> backwardAndGradient() {
    if (rank() == 0 || rank() > BORDER || width() > ADJOINT_RANK) {
      return both(backward(), gradient());
    }
    List<KernelWork> work = new ArrayList<>(List.of(border(1)));
    work.addAll(adjoint(1));
    work.add(ProductWork.of("frozen", rows, in, out() + rank()));
    work.addAll(gradientOfA(1));
    return work;
  }

  /** The same of a direction. */
  List<KernelWork> backwardAndGradientTangent() {
    if (rank() == 0 || 2 * rank() > BORDER || !whole() || width() > ADJOINT_RANK) {
      return both(backwardTangent(), gradientTangent());
    }
    List<KernelWork> work = new ArrayList<>(List.of(border(2)));
    work.addAll(adjoint(2));
    work.add(ProductWork.of("frozen", rows, in, out() + 2 * rank()));
    work.addAll(gradientOfA(2));
    return work;
  }

  /** h and the gradients of B in shares of blocks, and their sums, with the primal h beside that of a direction. */
  private List<KernelWork> adjoint(int terms) {
    double adapted = layers.stream().filter(layer -> layer.rank() > 0).mapToDouble(Layer::out).sum();
    double tiles =
        layers.stream()
            .filter(layer -> layer.rank() > 0)
            .mapToDouble(layer -> Math.ceil(layer.out() / ADJOINT_COLUMNS))
            .sum();
    double rowTiles = Math.ceil(rows / ADJOINT_ROWS);
    double parts = Math.clamp(Math.floor(MULTIPROCESSORS.value() / tiles), 1, rowTiles);
    double shares = F32 * width() * (tiles * rows + parts * out());
    double read = BF16 * terms * (rows * (adapted + rank()) + rank() * adapted);
    double loops = tiles * rowTiles * ADJOINT_WARPS;
    double exchanged = 2.0 * F32 * ADJOINT_ROWS * ADJOINT_RANK;
    KernelWork blocks =
        KernelWork.warps(
            terms == 1 ? "lora_adjoint" : "lora_adjoint_tangent",
            1,
            read + shares,
            loops * (terms == 1 ? 530 : 897),
            0,
            loops * (terms * 20 * 512 + exchanged),
            ISSUE_SHARE_8_WARPS);
    double sums = shares + BF16 * rows * rank() * (2 * terms - 1) + 2.0 * F32 * pairsOfB();
    return List.of(blocks.atShare(SKINNY_SHARE), KernelWork.stream("lora_adjoint_sum", 1, sums, STREAM_SHARE));
  }

  private List<KernelWork> gradientOfA(int terms) {
    KernelWork product = ProductWork.gradient("lora_gradient", rank(), in, rows).times(terms);
    return layers.size() == 1
        ? List.of(product)
        : List.of(
            product, KernelWork.stream("lora_add_gradients", 1, 3.0 * F32 * rank() * in, STREAM_SHARE));
  }

  private static List<KernelWork> both(List<KernelWork> first, List<KernelWork> second) {
    return Stream.concat(first.stream(), second.stream()).toList();
  }

  /** The largest rank. */
  private double width() {
    return layers.stream().mapToDouble(Layer::rank).max().orElseThrow();
  }

  /** Elements of all B. */
  private double pairsOfB() {
    return layers.stream().mapToDouble(layer -> layer.rank() * layer.out()).sum();
  }

  /** Of each sequence. */
  List<KernelWork> backwardAndSampleGradients() {
    return both(backward(), each(layer -> layer.rank() == 0 ? List.of() : List.of(layer.sample(in), layer.sample(layer.out()))));
  }

  private KernelWork sample(double width) {
    double bytes = BF16 * rows * (width + rank() * width / TILE_COLUMNS) + F32 * batch * rank() * width;
    return KernelWork.stream("lora_sample_gradients", 1, bytes, STREAM_SHARE);
  }

  /** Elements of all pairs. */
  private double pairs() {
    return layers.stream().mapToDouble(layer -> layer.rank() * (in + layer.out())).sum();
  }

  /** The pairs of so many vectors beside and below the weights. */
  private KernelWork border(int vectors) {
    double bytes = vectors * (F32 * pairs() + BF16 * rank() * (in + out()));
    return KernelWork.stream("lora_border", 1, bytes, STREAM_SHARE);
  }

  /** The pairs, two products with one wide side, and the primal low-rank factor beside the tangent. */
  private List<KernelWork> narrowTangents(double wide) {
    return new ArrayList<>(
        List.of(
            border(2),
            ProductWork.of("lora_narrow", rows, rank(), wide),
            ProductWork.added("lora_narrow", rows, rank(), wide),
            KernelWork.stream("rows_copy_columns", 1, 2.0 * BF16 * rows * rank(), STREAM_SHARE)));
  }

  private KernelWork wideBack(double depth, boolean accumulate) {
    return accumulate
        ? ProductWork.added("lora_wide", rows, in, depth)
        : ProductWork.of("lora_wide", rows, in, depth);
  }

  private List<KernelWork> each(Mode mode) {
    return eachAdding((layer, accumulate) -> mode.apply(layer));
  }

  private List<KernelWork> eachAdding(AddingMode mode) {
    List<KernelWork> work = new ArrayList<>();
    for (Layer layer : layers) {
      work.addAll(mode.apply(new LoraWork(rows, in, List.of(layer), batch), layer != layers.getLast()));
    }
    return work;
  }

  @FunctionalInterface
  private interface Mode {
    List<KernelWork> apply(LoraWork layer);
  }

  /** A mode whose result is added to another layer's, or is the first. */
  @FunctionalInterface
  private interface AddingMode {
    List<KernelWork> apply(LoraWork layer, boolean accumulate);
  }
}
