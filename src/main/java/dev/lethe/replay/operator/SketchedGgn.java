package dev.lethe.replay.operator;

import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.SketchKernels;
import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The run's mean Gauss-Newton curvature from sampled gradients: Σ weight·FᵀF over parts F (N,P). Its rows
 * are read where they lie: from mapped files where the backend computes in host memory, from the device's
 * memory where they fit into half of what is free there, and otherwise block by block in every product.
 */
public final class SketchedGgn implements ReplayOperator {
  /** Rows that are copied to a device at a time. */
  private static final int BLOCK = 64;

  private final Backend backend;
  private final Scope scope;
  private final List<Turn> turns;
  private final long rows;
  private final String name;
  private final boolean streamed;
  private int products;

  /**
   * Some rows of the sketch.
   *
   * @param rows (N,P) in host memory outside the Java heap, BF16 or the vector type; stays the caller's
   * @param weight of each row's outer product
   */
  public record Part(Tensor rows, double weight) {}

  /** What one product reads, and what makes up for the rest. */
  private record Turn(List<Part> parts, double scale) {}

  /** The sum of these parts, in this order. */
  public SketchedGgn(Backend backend, List<Part> parts) {
    this(backend, parts, Long.MAX_VALUE);
  }

  /**
   * The sum of these parts for replays, where a product is a pass over memory: each product reads only every mth of
   * the parts, and products take turns. What one of them misses averages out over a run.
   *
   * @param rowsAProduct rows that a product reads, about, where there are as many
   */
  public SketchedGgn(Backend backend, List<Part> parts, long rowsAProduct) {
    this(backend, parts, rowsAProduct, Text.format("sketch of %d rows", rowsOf(parts)));
  }

  private SketchedGgn(Backend backend, List<Part> parts, long rowsAProduct, String name) {
    this.backend = backend;
    this.rows = rowsOf(parts);
    this.name = name;
    this.scope = backend.openScope("curvature sketch");
    long bytes = parts.stream().mapToLong(part -> part.rows.byteSize()).sum();
    boolean device = !HostTensors.inHostMemory(backend);
    this.streamed = device && bytes > backend.freeMemory().orElse(Long.MAX_VALUE) / 2;
    List<Part> read = device && !streamed ? upload(parts) : parts;
    int every = Math.clamp(rows / rowsAProduct, 1, Math.max(1, parts.size()));
    this.turns = IntStream.range(0, every).mapToObj(turn -> turn(read, turn, every)).toList();
  }

  /**
   * The leading directions alone of a sketch. What is left away is positive semi-definite.
   *
   * @param directions (K,P) of {@link LeadingDirections}
   * @param of rows of the sketch
   */
  public static SketchedGgn leading(Backend backend, Tensor directions, long of) {
    String name = Text.format("%d directions of a sketch of %d rows", directions.dim(0), of);
    return new SketchedGgn(backend, List.of(new Part(directions, 1)), Long.MAX_VALUE, name);
  }

  private Turn turn(List<Part> all, int first, int every) {
    List<Part> some = IntStream.range(0, all.size()).filter(i -> i % every == first).mapToObj(all::get).toList();
    return new Turn(some, (double) rows / Math.max(1, rowsOf(some)));
  }

  private List<Part> upload(List<Part> host) {
    List<Part> copies = new ArrayList<>();
    for (Part part : host) {
      Tensor rows = scope.allocate(part.rows.dtype(), part.rows.shape());
      backend.upload(part.rows, rows);
      copies.add(new Part(rows, part.weight));
    }
    return copies;
  }

  @Override
  public String name() {
    return name;
  }

  /** Rows in all parts, N. */
  public static long rowsOf(List<Part> parts) {
    return parts.stream().mapToLong(part -> part.rows.dim(0)).sum();
  }

  @Override
  public void addProduct(int step, Tensor d, double scale, Tensor out) {
    Turn turn = turns.get(products++ % turns.size());
    for (Part part : turn.parts) {
      add(part, d, scale * turn.scale, out);
    }
  }

  private void add(Part part, Tensor d, double scale, Tensor out) {
    if (streamed) {
      addStreamed(part, d, scale, out);
    } else if (part.rows.dim(0) > 0) {
      backend.run(new SketchKernels.AddProduct(part.rows, d, scale * part.weight, out));
    }
  }

  private void addStreamed(Part part, Tensor d, double scale, Tensor out) {
    long n = part.rows.dim(0);
    try (Scope pass = backend.openScope("sketch rows")) {
      Tensor block = pass.allocate(part.rows.dtype(), Math.min(BLOCK, n), part.rows.dim(1));
      for (long at = 0; at < n; at += BLOCK) {
        long count = Math.min(BLOCK, n - at);
        Tensor rows = block.slice(0, count);
        backend.upload(part.rows.slice(at, count), rows);
        backend.run(new SketchKernels.AddProduct(rows, d, scale * part.weight, out));
      }
    }
  }

  @Override
  public void close() {
    scope.close();
  }
}
