package dev.lethe.backend.cuda.driver;

import dev.lethe.ArgumentException;
import dev.lethe.Text;

/**
 * The shape of a launch: blocks along x, y, z, threads of a block (along x) and its dynamic shared memory
 * in bytes.
 */
public record Grid(int x, int y, int z, int threads, int sharedBytes) {
  private static final int MOST_Y = 65_535;

  public Grid {
    if (x < 1 || y < 1 || z < 1 || threads < 1 || y > MOST_Y || z > MOST_Y || sharedBytes < 0) {
      throw new ArgumentException(
          Text.format(
              "a grid of %d by %d by %d blocks of %d threads, %d bytes shared",
              x, y, z, threads, sharedBytes));
    }
  }

  /** A row of blocks. */
  public static Grid of(long blocks, int threads) {
    return new Grid(Math.toIntExact(blocks), 1, 1, threads, 0);
  }

  /** The same blocks with this much dynamic shared memory each. */
  public Grid shared(int bytes) {
    return new Grid(x, y, z, threads, bytes);
  }
}
