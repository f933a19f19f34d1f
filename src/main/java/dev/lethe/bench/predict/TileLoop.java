package dev.lethe.bench.predict;

import static dev.lethe.bench.predict.AttentionProducts.WARPGROUPS;
import static dev.lethe.bench.predict.AttentionProducts.WARPS;
import static dev.lethe.bench.predict.H200.ISSUE_SHARE_12_WARPS;
import static dev.lethe.bench.predict.H200.ISSUE_SHARE_8_WARPS;

import dev.lethe.ArgumentException;
import java.util.Arrays;
import java.util.Comparator;

/**
 * The main loops of the tiled attention kernels, as compiled for sm_90a: what a warp does for one tile of the other
 * side, the masks included that only tiles on the diagonal need. Products are counted in those of 16 by 8 by 16, and what
 * a warpgroup reads from shared memory is shared among its four warps.
 */
enum TileLoop {
  FORWARD_64(WARPS, "forward", 64, 64, ISSUE_SHARE_12_WARPS, 525, 36, 64),
  FORWARD_128(WARPS, "forward", 128, 64, ISSUE_SHARE_8_WARPS, 727, 72, 128),
  TANGENT_64(WARPS, "tangent", 64, 32, ISSUE_SHARE_12_WARPS, 503, 52, 80),
  TANGENT_128(WARPS, "tangent", 128, 32, ISSUE_SHARE_8_WARPS, 711, 104, 160),
  QUERY_GRADIENT_64(WARPS, "query_gradient", 64, 32, ISSUE_SHARE_12_WARPS, 347, 32, 48),
  QUERY_GRADIENT_128(WARPS, "query_gradient", 128, 32, ISSUE_SHARE_8_WARPS, 482, 64, 96),
  KEY_GRADIENT_64(WARPS, "key_gradient", 64, 32, ISSUE_SHARE_8_WARPS, 520, 40, 64),
  KEY_GRADIENT_128(WARPS, "key_gradient", 128, 16, ISSUE_SHARE_8_WARPS, 487, 48, 64),
  QUERY_GRADIENT_TANGENT_64(WARPS, "query_gradient_tangent", 64, 32, ISSUE_SHARE_8_WARPS, 706, 88, 128),
  QUERY_GRADIENT_TANGENT_128(WARPS, "query_gradient_tangent", 128, 32, ISSUE_SHARE_8_WARPS, 931, 176, 256),
  KEY_GRADIENT_TANGENT_64(WARPS, "key_gradient_tangent", 64, 32, ISSUE_SHARE_8_WARPS, 909, 104, 160),
  KEY_GRADIENT_TANGENT_128(WARPS, "key_gradient_tangent", 128, 16, ISSUE_SHARE_8_WARPS, 845, 128, 160),
  FORWARD_64_WGMMA(WARPGROUPS, "forward", 64, 64, ISSUE_SHARE_12_WARPS, 405, 12, 64),
  FORWARD_128_WGMMA(WARPGROUPS, "forward", 128, 64, ISSUE_SHARE_8_WARPS, 473, 24, 128),
  TANGENT_64_WGMMA(WARPGROUPS, "tangent", 64, 32, ISSUE_SHARE_12_WARPS, 358, 22, 80),
  TANGENT_128_WGMMA(WARPGROUPS, "tangent", 128, 32, ISSUE_SHARE_8_WARPS, 454, 44, 160),
  QUERY_GRADIENT_64_WGMMA(WARPGROUPS, "query_gradient", 64, 64, ISSUE_SHARE_12_WARPS, 405, 20, 96),
  QUERY_GRADIENT_128_WGMMA(WARPGROUPS, "query_gradient", 128, 64, ISSUE_SHARE_8_WARPS, 492, 40, 192),
  KEY_GRADIENT_64_WGMMA(WARPGROUPS, "key_gradient", 64, 32, ISSUE_SHARE_12_WARPS, 383, 16, 64),
  KEY_GRADIENT_128_WGMMA(WARPGROUPS, "key_gradient", 128, 32, ISSUE_SHARE_8_WARPS, 468, 32, 128),
  QUERY_GRADIENT_TANGENT_64_WGMMA(
      WARPGROUPS, "query_gradient_tangent", 64, 32, ISSUE_SHARE_12_WARPS, 544, 40, 128),
  QUERY_GRADIENT_TANGENT_128_WGMMA(
      WARPGROUPS, "query_gradient_tangent", 128, 32, ISSUE_SHARE_8_WARPS, 712, 80, 256),
  KEY_GRADIENT_TANGENT_64_WGMMA(WARPGROUPS, "key_gradient_tangent", 64, 32, ISSUE_SHARE_8_WARPS, 682, 44, 160);

  /** Bytes that four 8 by 8 matrices of bfloat16 take: one matrix load of a warp. */
  private static final double MATRICES_BYTES = 512;

  /** Operations of one m16n8k16. */
  private static final double MMA_OPERATIONS = 2.0 * 16 * 8 * 16;

  private final AttentionProducts by;
  private final String kernel;
  private final int headSize;
  private final int otherRows;
  private final H200 share;
  private final int instructions;
  private final int matrixLoads;
  private final int products;

  TileLoop(
      AttentionProducts by,
      String kernel,
      int headSize,
      int otherRows,
      H200 share,
      int instructions,
      int matrixLoads,
      int products) {
    this.by = by;
    this.kernel = kernel;
    this.headSize = headSize;
    this.otherRows = otherRows;
    this.share = share;
    this.instructions = instructions;
    this.matrixLoads = matrixLoads;
    this.products = products;
  }

  /** The loop of a kernel; warp by warp where it has none by warpgroups. */
  static TileLoop of(AttentionProducts by, String kernel, int headSize) {
    return Arrays.stream(values())
        .filter(loop -> loop.kernel.equals(kernel) && loop.headSize == headSize)
        .filter(loop -> loop.by == by || loop.by == WARPS)
        .max(Comparator.comparing(loop -> loop.by))
        .orElseThrow(() -> new ArgumentException("no tiled kernel for heads of " + headSize));
  }

  /**
   * One launch over causal sequences.
   *
   * @param heads of queries
   * @param bytes that the launch reads and writes
   */
  KernelWork launch(int heads, int batch, int tokens, double bytes) {
    double own = Math.ceilDiv(tokens, by.ownRows());
    double tiles = own * (own + 1) / 2 * by.ownRows() / otherRows;
    double loops = tiles * heads * batch * by.warps();
    return KernelWork.warps(
        "attention_" + kernel,
        1,
        bytes,
        loops * instructions,
        loops * products * MMA_OPERATIONS / by.operationsASecond(),
        loops * matrixLoads * MATRICES_BYTES,
        share);
  }
}
