package dev.lethe.replay.prepare;

import dev.lethe.backend.Backend;
import dev.lethe.curvature.Ekfac;
import dev.lethe.curvature.EkfacBasis;
import dev.lethe.curvature.EkfacBlock;
import dev.lethe.curvature.FactorStatistics;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.replay.operator.EkfacOperator;
import dev.lethe.replay.operator.SketchedGgn;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** EK-FAC of prepared operators: from statistics and sketch to a file, and from the file. */
final class EkfacParts {
  private static final String EIGENVALUES = "eigenvalues";
  private static final String INPUT_OF = "input_of";

  /** Rows of the sketch that are turned into the basis at a time. */
  static final int BLOCK = 32;

  private EkfacParts() {}

  /**
   * Writes the statistics of some steps.
   *
   * @param sums as {@link FactorStatistics#toHost} gives them
   * @param inputOf as {@link FactorStatistics#inputOf} gives it
   * @param places of the steps' rows
   */
  static void writeFactors(Path file, Map<String, Tensor> sums, int[] inputOf, int[] places) {
    Map<String, Tensor> tensors = new LinkedHashMap<>(sums);
    tensors.put(INPUT_OF, OperatorFiles.places(inputOf));
    tensors.put(OperatorFiles.PLACES, OperatorFiles.places(places));
    SafeTensors.write(file, tensors, Map.of());
  }

  /**
   * Fits bases to the sum of the statistics and second moments to the sketch, and writes both.
   *
   * @param factors files of {@link #writeFactors}, at least one
   */
  static void fit(
      AdaptedModel model, List<Path> factors, List<SketchedGgn.Part> sketch, Path file) {
    FactorSums sums = new FactorSums();
    int[] inputOf = {};
    for (Path path : factors) {
      try (SafeTensors part = SafeTensors.open(path)) {
        inputOf = OperatorFiles.places(part.get(INPUT_OF));
        for (String name : part.names()) {
          if (!name.equals(INPUT_OF) && !name.equals(OperatorFiles.PLACES)) {
            sums.add(name, part.get(name));
          }
        }
      }
    }
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    FactorStatistics.eigenvectors(sums.tensors())
        .forEach((name, basis) -> tensors.put(name, WeightGradients.floats(basis)));
    double[] eigenvalues;
    try (EkfacBasis basis = basis(model, tensors, inputOf)) {
      eigenvalues = moments(model.backend(), basis, sketch);
    }
    tensors.put(EIGENVALUES, Tensor.of(Shape.of(eigenvalues.length), eigenvalues));
    tensors.put(INPUT_OF, OperatorFiles.places(inputOf));
    SafeTensors.write(file, tensors, Map.of());
  }

  private static double[] moments(
      Backend backend, EkfacBasis basis, List<SketchedGgn.Part> sketch) {
    double[] eigenvalues = new double[Math.toIntExact(basis.parameters())];
    try (Scope scope = backend.openScope("sketch rows")) {
      Tensor block = scope.allocate(backend.vectorType(), BLOCK, basis.parameters());
      for (SketchedGgn.Part part : sketch) {
        for (long at = 0; at < part.rows().dim(0); at += BLOCK) {
          long count = Math.min(BLOCK, part.rows().dim(0) - at);
          backend.upload(part.rows().slice(at, count), block.slice(0, count));
          Ekfac.addSecondMoments(
              backend, basis, block.slice(0, count), part.weight(), eigenvalues);
        }
      }
    }
    return eigenvalues;
  }

  /** The curvature of a file of {@link #fit}; whoever asks closes it. */
  static Ekfac read(AdaptedModel model, Path file) {
    try (SafeTensors stored = SafeTensors.open(file)) {
      EkfacBasis basis = new EkfacBasis(model.backend(), model.layout().size(), blocks(model, stored));
      return new Ekfac(model.backend(), basis, stored.get(EIGENVALUES).toDoubles());
    }
  }

  /** The same for replays. */
  static EkfacOperator operator(AdaptedModel model, Path file) {
    try (SafeTensors stored = SafeTensors.open(file)) {
      double[] eigenvalues = stored.get(EIGENVALUES).toDoubles();
      return new EkfacOperator(model.backend(), model.layout().size(), blocks(model, stored), eigenvalues);
    }
  }

  private static List<EkfacBlock> blocks(AdaptedModel model, SafeTensors stored) {
    Map<String, Tensor> bases = new LinkedHashMap<>();
    for (String name : stored.names()) {
      if (!name.equals(EIGENVALUES) && !name.equals(INPUT_OF)) {
        bases.put(name, stored.get(name));
      }
    }
    return FactorStatistics.blocks(model.adapted(), bases, OperatorFiles.places(stored.get(INPUT_OF)));
  }

  static EkfacBasis basis(AdaptedModel model, Map<String, Tensor> bases, int[] inputOf) {
    List<EkfacBlock> blocks = FactorStatistics.blocks(model.adapted(), bases, inputOf);
    return new EkfacBasis(model.backend(), model.layout().size(), blocks);
  }
}
