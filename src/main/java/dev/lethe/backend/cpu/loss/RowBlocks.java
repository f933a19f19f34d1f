package dev.lethe.backend.cpu.loss;

/**
 * Rows cut into blocks of whole tiles, nearly equal and as many for each thread.
 *
 * @param rows of all blocks together
 * @param tile rows that a block has a multiple of, but for the last
 * @param count blocks
 */
record RowBlocks(int rows, int tile, int count) {
  /**
   * The fewest blocks.
   *
   * @param most rows that a block should have
   */
  static RowBlocks of(int rows, int most, int tile, int threads) {
    int wanted = Math.ceilDiv(Math.ceilDiv(rows, most), threads) * threads;
    return new RowBlocks(rows, tile, Math.min(wanted, Math.ceilDiv(rows, tile)));
  }

  /** The first row of a block. */
  int from(int block) {
    return (int) ((long) Math.ceilDiv(rows, tile) * block / count) * tile;
  }

  /** Behind the last row of a block. */
  int to(int block) {
    return Math.min(rows, from(block + 1));
  }
}
