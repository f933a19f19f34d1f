package dev.lethe.replay.prepare;

import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.curvature.DrawnPass;
import dev.lethe.curvature.EkfacBasis;
import dev.lethe.curvature.FactorStatistics;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.HostTensors;
import dev.lethe.replay.operator.LeadingDirections;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.OptimizerReplay;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * How large a preparation is, and what of it and of its operators takes the most memory, to be done on a device that
 * only counts.
 *
 * @param batch the most rows of a step
 * @param draws sampled gradients of each row
 * @param points of the training with gradients of the full weights; 0 in a long run, which goes without
 * @param rank of those
 */
public record PreparationSize(int batch, int draws, int points, int rank) {
  /**
   * That of a training of so many steps on so many rows each, with default settings, and of few parameters: where many
   * make the run long, it takes less.
   */
  public static PreparationSize usual(long steps, int batch) {
    PreparationSettings settings = PreparationSettings.DEFAULT;
    long visits = Math.clamp(PreparationPlan.visits(settings, steps * batch, steps), 1, steps);
    int draws = PreparationPlan.draws(settings, visits * batch);
    return new PreparationSize(
        batch, draws, PreparationPlan.longRun(steps, false) ? 0 : points(visits, settings), settings.rank());
  }

  /** Gradients of all visits, and their means over groups. */
  static int points(long visits, PreparationSettings settings) {
    return (int) (visits + Math.ceilDiv(visits, settings.groupVisits()));
  }

  /** A visit with all that may be wanted there, and the fit of EK-FAC to all visits. */
  public void visit(AdaptedModel model, List<Sample> rows) {
    Backend backend = model.backend();
    try (Scope replay = backend.openScope("optimiser replay");
        FactorStatistics factors = new FactorStatistics(backend, model.adapted());
        WeightGradients weights =
            points == 0
                ? null
                : new WeightGradients(backend, model.adapted(), rows.stream().mapToLong(Sample::length).sum());
        DrawnPass pass = new DrawnPass(model, rows, model.adapter().theta())) {
      replay.allocate(backend.vectorType(), OptimizerReplay.VECTORS, model.layout().size());
      pass.draw(draws, 0, factors, sampled -> {}, weights == null ? null : weights.adder(1));
    }
    try (EkfacBasis basis = basis(model);
        Scope scope = backend.openScope("sketch rows")) {
      Tensor rowsOfSketch = scope.allocate(backend.vectorType(), EkfacParts.BLOCK, basis.parameters());
      basis.project(rowsOfSketch, scope.allocate(backend.vectorType(), rowsOfSketch.shape()));
    }
    if (points == 0) {
      try (Scope scope = backend.openScope("leading directions")) {
        scope.allocate(backend.vectorType(), LeadingDirections.VECTORS, model.layout().size());
      }
    }
  }

  /**
   * The operators in the memory of the device.
   *
   * @param scope gets the gradients of full weights
   * @return EK-FAC's bases, which the caller closes
   */
  public EkfacBasis operators(AdaptedModel model, Scope scope) {
    Backend backend = model.backend();
    for (LoraLinear layer : model.adapted()) {
      for (int point = 0; point < points; point++) {
        scope.allocate(backend.activationType(), rank, layer.slot().in());
        scope.allocate(backend.activationType(), rank, layer.slot().out());
      }
    }
    return basis(model);
  }

  /** Of zeros, each layer with an input of its own. */
  private static EkfacBasis basis(AdaptedModel model) {
    Map<String, Tensor> bases = new HashMap<>();
    int layers = model.adapted().size();
    try (FactorStatistics factors = new FactorStatistics(model.backend(), model.adapted())) {
      Map<Shape, Tensor> zeros = new HashMap<>();
      factors
          .shapes()
          .forEach(
              (name, shape) -> {
                Tensor same = zeros.computeIfAbsent(shape, of -> HostTensors.zeros(DType.F32, of));
                bases.put(name, same.reshape(shape.dim(0), shape.dim(1)));
              });
    }
    return EkfacParts.basis(model, bases, IntStream.range(0, layers).toArray());
  }
}
