package dev.lethe.bench.predict;

import static dev.lethe.bench.predict.H200.STREAM_SHARE;

import java.util.List;

/**
 * The launches of one linear layer, as backend.cuda's CudaLora makes them with cuBLAS.
 *
 * @param rows of activations
 * @param rank of its pair; 0: it has none
 */
record LoraWork(double rows, double in, double out, double rank, double batch) {
  private static final int BF16 = 2;
  private static final int F32 = 4;
  private static final int TILE_COLUMNS = 128;

  List<KernelWork> forward() {
    if (rank == 0) {
      return List.of(ProductWork.of("frozen", rows, out, in));
    }
    return List.of(
        adapter(1),
        ProductWork.of("lora_narrow", rows, rank, in),
        ProductWork.of("lora_wide", rows, out, rank),
        ProductWork.added("frozen", rows, out, in));
  }

  List<KernelWork> tangent() {
    if (rank == 0) {
      return List.of(ProductWork.of("frozen", rows, out, in));
    }
    return List.of(
        adapter(2),
        ProductWork.of("lora_narrow", rows, rank, in),
        ProductWork.added("lora_narrow", rows, rank, in),
        join(),
        ProductWork.of("lora_wide", rows, out, 2 * rank),
        ProductWork.added("frozen", rows, out, in));
  }

  /**
   * @param accumulate whether another layer's adjoint of the same input is there already
   */
  List<KernelWork> backward(boolean accumulate) {
    if (rank == 0) {
      return List.of(frozenBack(accumulate));
    }
    return List.of(
        adapter(1),
        ProductWork.of("lora_narrow", rows, rank, out),
        wideBack(rank, accumulate),
        frozenBack(true));
  }

  List<KernelWork> backwardTangent(boolean accumulate) {
    if (rank == 0) {
      return List.of(frozenBack(accumulate));
    }
    return List.of(
        adapter(2),
        ProductWork.of("lora_narrow", rows, rank, out),
        ProductWork.added("lora_narrow", rows, rank, out),
        join(),
        wideBack(2 * rank, accumulate),
        frozenBack(true));
  }

  /** Of the batch. */
  List<KernelWork> gradient() {
    if (rank == 0) {
      return List.of();
    }
    return List.of(
        ProductWork.gradient("lora_gradient", rank, in, rows),
        ProductWork.gradient("lora_gradient", out, rank, rows));
  }

  /** The same of each direction: two terms each. */
  List<KernelWork> gradientTangent() {
    return gradient().stream().map(work -> work.times(2)).toList();
  }

  /** Of each sequence. */
  List<KernelWork> sampleGradients() {
    if (rank == 0) {
      return List.of();
    }
    return List.of(sample(in), sample(out));
  }

  private KernelWork sample(double width) {
    double bytes = BF16 * rows * (width + rank * width / TILE_COLUMNS) + F32 * batch * rank * width;
    return KernelWork.stream("lora_sample_gradients", 1, bytes, STREAM_SHARE);
  }

  private KernelWork adapter(int vectors) {
    double bytes = (F32 + BF16) * vectors * rank * (in + out);
    return KernelWork.stream("lora_adapter", 1, bytes, STREAM_SHARE);
  }

  private KernelWork join() {
    return KernelWork.stream("lora_join", 1, 4.0 * BF16 * rows * rank, STREAM_SHARE);
  }

  private KernelWork wideBack(double depth, boolean accumulate) {
    return accumulate
        ? ProductWork.added("lora_wide", rows, in, depth)
        : ProductWork.of("lora_wide", rows, in, depth);
  }

  private KernelWork frozenBack(boolean accumulate) {
    return accumulate
        ? ProductWork.added("frozen", rows, in, out)
        : ProductWork.of("frozen", rows, in, out);
  }
}
