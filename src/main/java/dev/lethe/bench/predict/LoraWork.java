package dev.lethe.bench.predict;

import static dev.lethe.bench.predict.H200.STREAM_SHARE;

import java.util.ArrayList;
import java.util.List;

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

  List<KernelWork> backwardTangent() {
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
  List<KernelWork> gradient() {
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
  List<KernelWork> gradientTangent() {
    return gradient().stream()
        .map(work -> work.name().equals("lora_gradient") ? work.times(2) : work)
        .toList();
  }

  /** Of each sequence. */
  List<KernelWork> sampleGradients() {
    return each(layer -> layer.rank() == 0 ? List.of() : List.of(layer.sample(in), layer.sample(layer.out())));
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
