package dev.lethe.bench.predict;

import static dev.lethe.bench.predict.H200.CLOCK;
import static dev.lethe.bench.predict.H200.MMA_SYNC;
import static dev.lethe.bench.predict.H200.MULTIPROCESSORS;
import static dev.lethe.bench.predict.H200.TENSOR_PEAK;

/** What makes the products of attention's tiles: kernels/README.md. */
public enum AttentionProducts {
  /** {@code mma.sync}, a warp for itself: what runs unless the other is asked for. */
  WARPS(64, 4),
  /** {@code wgmma}, four warps together: {@code -Dlethe.cuda.wgmma=true}. */
  WARPGROUPS(128, 8);

  /** Operations a clock and multiprocessor in the data sheet. */
  private static final double TENSOR_OPERATIONS = 4096;

  private final int ownRows;
  private final int warps;

  AttentionProducts(int ownRows, int warps) {
    this.ownRows = ownRows;
    this.warps = warps;
  }

  /** Of a block. */
  int ownRows() {
    return ownRows;
  }

  /** Of a block. */
  int warps() {
    return warps;
  }

  double operationsASecond() {
    return this == WARPGROUPS
        ? TENSOR_PEAK.value()
        : MULTIPROCESSORS.value() * CLOCK.value() * TENSOR_OPERATIONS * MMA_SYNC.value();
  }
}
