package dev.lethe.replay.prepare;

import dev.lethe.backend.Backend;
import dev.lethe.format.file.TemporaryMemory;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.replay.operator.LeadingDirections;
import dev.lethe.replay.operator.SketchedGgn;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * A sketch of the Gauss-Newton curvature in files: all its rows, or its leading directions, which are fitted to them.
 *
 * @param files mapped
 * @param parts rows, or the directions as one part
 * @param rows of the sketch
 * @param kept what part of its trace is here; 1 where all rows are
 */
record MappedSketch(List<SafeTensors> files, List<SketchedGgn.Part> parts, long rows, double kept)
    implements AutoCloseable {
  private static final String OF = "sketch_rows";
  private static final String KEPT = "kept";

  /** All rows, from files of {@link SketchBuffer}; every row weighs alike. */
  static MappedSketch rows(List<Path> paths) {
    List<SafeTensors> files = new ArrayList<>();
    try {
      paths.forEach(path -> files.add(SafeTensors.open(path)));
      List<Tensor> parts = files.stream().map(file -> file.get(SketchBuffer.ROWS)).toList();
      long rows = parts.stream().mapToLong(part -> part.dim(0)).sum();
      return new MappedSketch(
          files, parts.stream().map(part -> new SketchedGgn.Part(part, 1.0 / rows)).toList(), rows, 1);
    } catch (RuntimeException | Error e) {
      files.forEach(SafeTensors::close);
      throw e;
    }
  }

  /** Finds leading directions of these rows and writes them, in the format of the rows. */
  void writeLeading(Backend backend, int directions, Path to) {
    Tensor first = parts.getFirst().rows();
    try (TemporaryMemory memory = new TemporaryMemory("lethe-directions")) {
      Tensor leading = memory.allocate(first.dtype(), Shape.of(directions, first.dim(1)));
      double traced = new LeadingDirections(backend, parts, directions).writeTo(leading);
      SafeTensors.write(to, Map.of(SketchBuffer.ROWS, leading, OF, number(rows), KEPT, number(traced)), Map.of());
    }
  }

  private static Tensor number(double value) {
    return Tensor.of(Shape.of(1), new double[] {value});
  }

  /** Leading directions, from a file of {@link #writeLeading}. */
  static MappedSketch leading(Path path) {
    SafeTensors file = SafeTensors.open(path);
    try {
      SketchedGgn.Part directions = new SketchedGgn.Part(file.get(SketchBuffer.ROWS), 1);
      return new MappedSketch(
          List.of(file), List.of(directions), (long) file.get(OF).get(0), file.get(KEPT).get(0));
    } catch (RuntimeException | Error e) {
      file.close();
      throw e;
    }
  }

  /** Whether these are directions. */
  boolean leading() {
    return SketchedGgn.rowsOf(parts) < rows;
  }

  /**
   * The curvature for replays; it reads from here.
   *
   * @param rowsAProduct see {@link SketchedGgn}; directions are all read in every product
   */
  SketchedGgn curvature(Backend backend, long rowsAProduct) {
    return leading()
        ? SketchedGgn.leading(backend, parts.getFirst().rows(), rows)
        : new SketchedGgn(backend, parts, rowsAProduct);
  }

  @Override
  public void close() {
    files.forEach(SafeTensors::close);
  }
}
