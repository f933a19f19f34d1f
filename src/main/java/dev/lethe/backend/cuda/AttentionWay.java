package dev.lethe.backend.cuda;

import dev.lethe.backend.cuda.driver.Grid;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.cuda.launch.PackingTables;
import dev.lethe.backend.kernel.operand.AttentionShape;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import java.util.Set;

/** How an attention kernel shares rows among blocks, and where the others of its kind stand in kernels/. */
enum AttentionWay {
  /** A warp a row: attention_plain.cu. */
  PLAIN("_plain", 0, 128),
  /** Tiles on tensor cores, warp by warp, element by element from memory. */
  UNALIGNED("_unaligned", 64, 128),
  /** The same from rows that begin at multiples of 16 bytes. */
  ALIGNED("", 64, 128),
  /** Such rows in the tiles of two warpgroups: attention_*_wgmma.cu. */
  WARPGROUPS("_wgmma", 128, 256);

  private static final Set<Integer> TILED_HEADS = Set.of(32, 64, 128);
  private static final Set<Integer> WARPGROUP_HEADS = Set.of(64, 128);
  private static final int PLAIN_WARPS = 4;
  private static final int PACK_BYTES = 16;

  private final String suffix;
  private final int ownRows;
  private final int threads;

  AttentionWay(String suffix, int ownRows, int threads) {
    this.suffix = suffix;
    this.ownRows = ownRows;
    this.threads = threads;
  }

  /**
   * The way for tensors of one call.
   *
   * @param mode as in the kernels' names; there is no {@code key_gradient_tangent_128_wgmma}, which would spill
   *     registers
   * @param tensors null ones do not count
   */
  static AttentionWay of(Cuda cuda, String mode, AttentionShape shape, Tensor... tensors) {
    int size = shape.headSize();
    if (cuda.type() != DType.BF16 || !TILED_HEADS.contains(size)) {
      return PLAIN;
    }
    if (!aligned(tensors)) {
      return UNALIGNED;
    }
    boolean spills = size == 128 && mode.equals("key_gradient_tangent");
    return cuda.device().warpgroups() && WARPGROUP_HEADS.contains(size) && !spills ? WARPGROUPS : ALIGNED;
  }

  /** Whether all rows of all heads begin at multiples of 16 bytes. */
  private static boolean aligned(Tensor... tensors) {
    for (Tensor tensor : tensors) {
      if (tensor != null
          && (Cuda.address(tensor) % PACK_BYTES != 0 || tensor.stride() * tensor.dtype().bytes() % PACK_BYTES != 0)) {
        return false;
      }
    }
    return true;
  }

  boolean tiled() {
    return this != PLAIN;
  }

  /** The plain kernels of gradients are their tangents' too. */
  String kernel(String mode, AttentionShape shape) {
    return tiled()
        ? "attention_" + mode + "_" + shape.headSize() + suffix
        : "attention_" + mode.replace("_tangent", "") + suffix;
  }

  /** Where each block's rows, or each row's sequence stand. */
  Tensor places(PackingTables.Table table) {
    return tiled() ? tiles(table).places() : table.sequences();
  }

  /** For k directions; the rows are those of the table. */
  Grid grid(PackingTables.Table table, int heads, long k, int sharedBytes) {
    return tiled()
        ? new Grid(tiles(table).count(), heads, Math.toIntExact(k), threads, sharedBytes)
        : warpARow(table.sequences().dim(0), heads, k);
  }

  /** A warp for each row, head and direction. */
  static Grid warpARow(long rows, int heads, long k) {
    return new Grid(
        Math.toIntExact(Math.ceilDiv(rows, PLAIN_WARPS)), heads, Math.toIntExact(k), PLAIN.threads, 0);
  }

  private PackingTables.Tiles tiles(PackingTables.Table table) {
    return this == WARPGROUPS ? table.wideTiles() : table.tiles();
  }

  /** The shared memory of so many tiles of the block's rows, and of so many of {@code rows} rows of the other side. */
  int sharedBytes(AttentionShape shape, int own, int other, int rows) {
    return (own * ownRows + other * rows) * shape.headSize() * DType.BF16.bytes();
  }
}
