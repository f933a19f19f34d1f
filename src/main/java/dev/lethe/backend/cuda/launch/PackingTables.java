package dev.lethe.backend.cuda.launch;

import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * The sequences of packed batches in device memory, as kernels ask for them; those of the batches used last are kept, so
 * that a loop over the same batches uploads nothing, and so are all that recordings read.
 */
public final class PackingTables implements AutoCloseable {
  /** Rows of a query tile of attention; a tile lies in one sequence. */
  private static final int TILE = 64;

  /** The same for blocks of two warpgroups. */
  private static final int WIDE_TILE = 128;

  private static final int MOST_KEPT = 256;

  private final Cuda cuda;
  private final Map<Packing, Table> tables = new LinkedHashMap<>(16, 0.75f, true);
  private final Set<Packing> recorded = new HashSet<>();

  PackingTables(Cuda cuda) {
    this.cuda = cuda;
  }

  /**
   * One packing's tables, I32.
   *
   * @param starts (n+1) first row of each sequence, and the end of the last
   * @param sequences (N) the sequence of each row
   * @param tiles of {@value #TILE} rows
   * @param wideTiles of {@value #WIDE_TILE} rows; null where the device takes no kernels of warpgroups
   */
  public record Table(Tensor starts, Tensor sequences, Tiles tiles, Tiles wideTiles, Scope scope) {}

  /**
   * The tiles of a packing.
   *
   * @param places (count,2) sequence and first row within it of each tile, those farthest from their sequence's start
   *     first: they see the most keys
   */
  public record Tiles(Tensor places, int count) {}

  public Table of(Packing packing) {
    Table table = tables.get(packing);
    if (table == null) {
      dropOldest();
      table = make(packing);
      tables.put(packing, table);
    }
    if (cuda.allocator().allocatesForRecordings()) {
      recorded.add(packing);
    }
    return table;
  }

  private void dropOldest() {
    if (!cuda.allocator().hasRecordings()) {
      recorded.clear();
    }
    var entries = tables.entrySet().iterator();
    while (tables.size() >= MOST_KEPT && entries.hasNext()) {
      var entry = entries.next();
      if (!recorded.contains(entry.getKey())) {
        entry.getValue().scope.close();
        entries.remove();
      }
    }
  }

  private Table make(Packing packing) {
    int[] starts = new int[packing.count() + 1];
    int[] sequences = new int[packing.rows()];
    for (int i = 0; i < packing.count(); i++) {
      starts[i + 1] = packing.end(i);
      Arrays.fill(sequences, packing.start(i), packing.end(i), i);
    }
    Scope scope = Scope.open("packing", cuda.tables());
    return new Table(
        upload(scope, starts),
        upload(scope, sequences),
        tiles(scope, packing, TILE),
        cuda.device().warpgroups() ? tiles(scope, packing, WIDE_TILE) : null,
        scope);
  }

  private Tiles tiles(Scope scope, Packing packing, int rows) {
    int count = 0;
    for (int i = 0; i < packing.count(); i++) {
      count += Math.ceilDiv(packing.length(i), rows);
    }
    int[] found = new int[2 * count];
    int at = 0;
    for (int first = (packing.longest() - 1) / rows * rows; first >= 0; first -= rows) {
      for (int i = 0; i < packing.count(); i++) {
        if (first < packing.length(i)) {
          found[at++] = i;
          found[at++] = first;
        }
      }
    }
    return new Tiles(upload(scope, found), count);
  }

  private Tensor upload(Scope scope, int[] values) {
    Tensor table = scope.allocate(DType.I32, values.length);
    cuda.transfers().upload(Tensor.of(Shape.of(values.length), values), table);
    return table;
  }

  @Override
  public void close() {
    tables.values().forEach(table -> table.scope.close());
    tables.clear();
  }
}
