package dev.lethe.bench.predict;

import dev.lethe.ArgumentException;
import static dev.lethe.bench.predict.H200.CLOCK;
import static dev.lethe.bench.predict.H200.ISSUE_SHARE_12_WARPS;
import static dev.lethe.bench.predict.H200.ISSUE_SHARE_8_WARPS;
import static dev.lethe.bench.predict.H200.MMA_SYNC;
import static dev.lethe.bench.predict.H200.MULTIPROCESSORS;

import java.util.Arrays;

/**
 * The main loops of the tiled attention kernels, as compiled for sm_90a: what a warp does for one tile of the other
 * side, the masks included that only tiles on the diagonal need.
 */
enum TileLoop {
  FORWARD_64("forward", 64, 64, ISSUE_SHARE_12_WARPS, 515, 36, 64),
  FORWARD_128("forward", 128, 64, ISSUE_SHARE_8_WARPS, 756, 72, 128),
  TANGENT_64("tangent", 64, 32, ISSUE_SHARE_12_WARPS, 491, 52, 80),
  TANGENT_128("tangent", 128, 32, ISSUE_SHARE_8_WARPS, 789, 104, 160),
  QUERY_GRADIENT_64("query_gradient", 64, 32, ISSUE_SHARE_12_WARPS, 341, 32, 48),
  QUERY_GRADIENT_128("query_gradient", 128, 32, ISSUE_SHARE_8_WARPS, 542, 64, 96),
  KEY_GRADIENT_64("key_gradient", 64, 32, ISSUE_SHARE_8_WARPS, 510, 40, 64),
  KEY_GRADIENT_128("key_gradient", 128, 16, ISSUE_SHARE_8_WARPS, 477, 48, 64),
  QUERY_GRADIENT_TANGENT_64("query_gradient_tangent", 64, 32, ISSUE_SHARE_8_WARPS, 695, 88, 128),
  QUERY_GRADIENT_TANGENT_128("query_gradient_tangent", 128, 32, ISSUE_SHARE_8_WARPS, 955, 176, 256),
  KEY_GRADIENT_TANGENT_64("key_gradient_tangent", 64, 32, ISSUE_SHARE_8_WARPS, 898, 104, 160),
  KEY_GRADIENT_TANGENT_128("key_gradient_tangent", 128, 16, ISSUE_SHARE_8_WARPS, 833, 128, 160);

  private static final int OWN_ROWS = 64;
  private static final int WARPS = 4;

  /** Bytes that four 8 by 8 matrices of bfloat16 take. */
  private static final double MATRICES_BYTES = 512;

  /** Operations of one m16n8k16. */
  private static final double MMA_OPERATIONS = 2.0 * 16 * 8 * 16;

  /** Operations a clock and multiprocessor in the data sheet. */
  private static final double TENSOR_OPERATIONS = 4096;

  private final String kernel;
  private final int headSize;
  private final int otherRows;
  private final H200 share;
  private final int instructions;
  private final int matrixLoads;
  private final int products;

  TileLoop(
      String kernel, int headSize, int otherRows, H200 share, int instructions, int matrixLoads, int products) {
    this.kernel = kernel;
    this.headSize = headSize;
    this.otherRows = otherRows;
    this.share = share;
    this.instructions = instructions;
    this.matrixLoads = matrixLoads;
    this.products = products;
  }

  static TileLoop of(String kernel, int headSize) {
    return Arrays.stream(values())
        .filter(loop -> loop.kernel.equals(kernel) && loop.headSize == headSize)
        .findFirst()
        .orElseThrow(() -> new ArgumentException("no tiled kernel for heads of " + headSize));
  }

  /**
   * One launch over causal sequences.
   *
   * @param heads of queries
   * @param bytes that the launch reads and writes
   */
  KernelWork launch(int heads, int batch, int tokens, double bytes) {
    double own = Math.ceilDiv(tokens, OWN_ROWS);
    double tiles = own * (own + 1) / 2 * OWN_ROWS / otherRows;
    double loops = tiles * heads * batch * WARPS;
    double tensorRate =
        MULTIPROCESSORS.value() * CLOCK.value() * TENSOR_OPERATIONS * MMA_SYNC.value();
    return KernelWork.warps(
        "attention_" + kernel,
        1,
        bytes,
        loops * instructions,
        loops * products * MMA_OPERATIONS / tensorRate,
        loops * matrixLoads * MATRICES_BYTES,
        share);
  }
}
