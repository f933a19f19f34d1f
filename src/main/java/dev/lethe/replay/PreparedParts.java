package dev.lethe.replay;

import dev.lethe.format.SafeTensors;
import dev.lethe.replay.PreparationPlan.Point;
import dev.lethe.tensor.Tensor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Which parts of a plan lie in the folder, and what is in them. */
record PreparedParts(OperatorFiles files, PreparationPlan plan) {
  /** A sketch from which more than this part of its rows was removed is made anew. */
  private static final double MOST_DROPPED = 0.25;

  /**
   * What is still to be made of a planned point. Statistics for bases are written before the sketch, so that they
   * are missing beside one only where a removal took them; bases hardly change while half of them are left.
   */
  Point missing(Point planned) {
    long wanted = (long) planned.sketch() * plan.draws();
    boolean sketch = sketchRows(planned.step()) >= (1 - MOST_DROPPED) * wanted;
    boolean factors =
        planned.factors() == 0
            || Files.exists(files.factors(planned.step()))
            || sketch && enoughFactors();
    boolean weights = planned.weights() == 0 || Files.exists(files.weights(planned.step()));
    return planned.without(sketch, factors, weights);
  }

  private long sketchRows(int step) {
    if (!Files.exists(files.sketch(step))) {
      return 0;
    }
    try (SafeTensors file = SafeTensors.open(files.sketch(step))) {
      return file.get(SketchBuffer.ROWS).dim(0);
    }
  }

  private boolean enoughFactors() {
    long planned = plan.points().stream().filter(point -> point.factors() > 0).count();
    return 2L * factors().size() >= planned;
  }

  /** The files of statistics that are there. */
  List<Path> factors() {
    return plan.points().stream()
        .map(point -> files.factors(point.step()))
        .filter(Files::exists)
        .toList();
  }

  /** Maps the sketch; each step weighs alike, whatever its number of rows. */
  Sketch openSketch() {
    List<SafeTensors> open = new ArrayList<>();
    List<Point> points = plan.points().stream().filter(point -> point.sketch() > 0).toList();
    List<SketchedGgn.Part> parts = new ArrayList<>();
    for (Point point : points) {
      SafeTensors file = SafeTensors.open(files.sketch(point.step()));
      open.add(file);
      Tensor rows = file.get(SketchBuffer.ROWS);
      parts.add(new SketchedGgn.Part(rows, 1.0 / points.size() / rows.dim(0)));
    }
    return new Sketch(open, parts);
  }

  /** The gradients of the full weights at a step. */
  List<BilinearTerm.Weight> weights(SafeTensors file, int layers) {
    List<BilinearTerm.Weight> weights = new ArrayList<>();
    for (int i = 0; i < layers; i++) {
      weights.add(
          new BilinearTerm.Weight(
              file.get(WeightGradients.input(i)), file.get(WeightGradients.output(i))));
    }
    return weights;
  }

  /** A mapped sketch. */
  record Sketch(List<SafeTensors> files, List<SketchedGgn.Part> parts) implements AutoCloseable {
    @Override
    public void close() {
      files.forEach(SafeTensors::close);
    }
  }
}
