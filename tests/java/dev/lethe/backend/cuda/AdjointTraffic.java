package dev.lethe.backend.cuda;

import java.util.List;

/**
 * What kernels/lora_adjoint.cu reads and writes for one group of layers.
 *
 * @param outs of each layer
 * @param rank of each
 */
record AdjointTraffic(List<Integer> outs, int rank, long rows, int multiprocessors) {
  private static final int COLUMNS = 512;
  private static final int TILE_ROWS = 32;
  private static final int PIECE = 8;
  private static final int BF16 = 2;
  private static final int F32 = 4;

  private long out() {
    return outs.stream().mapToLong(Integer::longValue).sum();
  }

  private long tiles() {
    return outs.stream().mapToLong(out -> Math.ceilDiv(out, COLUMNS)).sum();
  }

  private long parts() {
    return Math.clamp(multiprocessors / tiles(), 1, Math.ceilDiv(rows, TILE_ROWS));
  }

  /** Pieces of 16 bytes that the blocks read: each adjoint once, and u for every tile, B for every part of the rows. */
  long pieces(int terms) {
    long ofRank = Math.ceilDiv(rank, PIECE);
    return terms * (rows * out() / PIECE + tiles() * rows * ofRank + parts() * out() * ofRank);
  }

  /** Bytes of both kernels, with the primal h copied beside that of a direction. */
  double bytes(int terms) {
    double read = (double) BF16 * terms * (rows * (out() + tiles() * rank) + parts() * out() * rank);
    double shares = (double) F32 * rank * (tiles() * rows + parts() * out());
    double results = (double) BF16 * rows * rank * outs.size() * (2 * terms - 1) + 2.0 * F32 * out() * rank;
    return read + 2 * shares + results;
  }
}
