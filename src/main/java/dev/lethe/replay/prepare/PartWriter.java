package dev.lethe.replay.prepare;

import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.replay.prepare.PreparationPlan.Visit;
import dev.lethe.replay.prepare.PreparedParts.Due;
import dev.lethe.replay.prepare.PreparedParts.Missing;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** Writes the parts of a preparation, one after another, each when all of it was made. */
final class PartWriter implements AutoCloseable {
  private final OperatorFiles files;
  private final int draws;
  private final long parameters;
  private Missing part;
  private SketchBuffer sketch;
  private int[] inputOf;
  private final FactorSums factors = new FactorSums();
  private final Map<String, Tensor> weights = new LinkedHashMap<>();

  /**
   * @param draws sampled gradients of each row
   * @param parameters P
   */
  PartWriter(OperatorFiles files, int draws, long parameters) {
    this.files = files;
    this.draws = draws;
    this.parameters = parameters;
  }

  /** Takes a sampled gradient (P) of the row at a place of the log. */
  void sampled(Due due, int place, Tensor gradient) {
    begin(due.part());
    sketch.next(place).copyFrom(gradient);
  }

  /** Takes all else of a visit. */
  void visited(Due due, VisitWork.Made made) {
    begin(due.part());
    made.factors().forEach(factors::add);
    inputOf = made.inputOf() == null ? inputOf : made.inputOf();
    if (part.weights()) {
      int step = due.visit().step();
      WeightGradients.put(step, made.weights(), weights);
      weights.put(OperatorFiles.placesOf(step), OperatorFiles.places(due.visit().places()));
    }
    if (due.last()) {
      commit();
      close();
    }
  }

  private void begin(Missing next) {
    if (part == null) {
      part = next;
      sketch =
          part.sketch()
              ? new SketchBuffer(files.sketch(index()), part.group().count() * draws, parameters)
              : null;
    }
  }

  private int index() {
    return part.group().index();
  }

  private void commit() {
    if (part.factors()) {
      int[] places =
          part.group().visits().stream()
              .filter(Visit::factors)
              .flatMapToInt(visit -> Arrays.stream(visit.places()))
              .toArray();
      EkfacParts.writeFactors(files.factors(index()), factors.tensors(), inputOf, places);
    }
    if (sketch != null) {
      sketch.commit();
    }
    if (part.weights()) {
      SafeTensors.write(files.weights(index()), weights, Map.of());
    }
  }

  /** Forgets a part that was begun. */
  @Override
  public void close() {
    if (sketch != null) {
      sketch.close();
    }
    part = null;
    sketch = null;
    inputOf = null;
    factors.clear();
    weights.clear();
  }
}
