package dev.lethe.unlearn.baseline;

import dev.lethe.autograd.Gradients;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.nn.HostTensors;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Map;
import java.util.SplittableRandom;

/** A tiny model in float64, an adapter with random matrices, nine rows of which three are to be forgotten. */
final class BaselineFixture implements AutoCloseable {
  static final double NEAR = 1e-5;

  final Backend backend = Backends.select("reference", BackendOptions.DEFAULT);
  final TinyModels.Tiny tiny;
  final LoraAdapter adapter;
  final AdaptedModel model;
  final List<Sample> data = TinyModels.samples(9, 23, 5, 9, 4);
  final UnlearnRequest request = UnlearnRequest.of(data, List.of("1", "4", "6"), List.of());
  final List<Sample> preferred;
  private final Scope scope = backend.openScope("baseline tests");

  BaselineFixture(Path dir, List<String> targets) {
    tiny = TinyModels.open(dir, TinyModels.Dims.DEFAULT, backend, 3);
    adapter = TinyModels.adapter(tiny.model(), 2, 4, targets, 5);
    model = new AdaptedModel(tiny.model(), adapter);
    preferred = new ArrayList<>();
    List<Sample> others = TinyModels.samples(3, 23, 5, 9, 8);
    for (int i = 0; i < 3; i++) {
      preferred.add(others.get(i).named(request.forgotten().get(i).id()));
    }
  }

  BaselineWork work() {
    BatchLimits small = new BatchLimits(2, 1000);
    return new BaselineWork(new BaselineTask(model, request, preferred, 7, small, Optional::empty), BaselineMonitor.NONE);
  }

  /** The adapter's parameters and a few per cent of noise. */
  Tensor moved(long seed) {
    double[] values = HostTensors.download(adapter).toDoubles();
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < values.length; i++) {
      values[i] += 0.05 * random.nextGaussian();
    }
    return device(values);
  }

  Tensor device(double[] values) {
    Tensor tensor = scope.allocate(backend.vectorType(), values.length);
    backend.upload(Tensor.of(Shape.of(values.length), values), tensor);
    return tensor;
  }

  double[] host(Tensor tensor) {
    return HostTensors.doubles(backend, tensor);
  }

  double[] losses(List<Sample> rows, Tensor theta) {
    try (Batch batch = Batch.of(rows, backend)) {
      return Gradients.losses(backend, model.tape(batch), theta);
    }
  }

  double meanLoss(List<Sample> rows, Tensor theta) {
    double sum = 0;
    for (double loss : losses(rows, theta)) {
      sum += loss / rows.size();
    }
    return sum;
  }

  /** Softmax at the supervised positions of one row. */
  double[][] probabilities(Sample row, Tensor theta) {
    try (Batch batch = Batch.of(List.of(row), backend)) {
      Tensor p = Gradients.probabilities(backend, model.tape(batch), theta);
      double[][] rows = new double[(int) p.dim(0)][];
      for (int t = 0; t < rows.length; t++) {
        rows[t] = p.row(t).toDoubles();
      }
      return rows;
    }
  }

  /** A copy of the adapter after a method. */
  double[] after(String name, Map<String, Double> settings) {
    try (LoraAdapter copy = adapter.copy()) {
      Baselines.of(name, settings).apply(work(), copy);
      return HostTensors.download(copy).toDoubles();
    }
  }

  @Override
  public void close() {
    scope.close();
    adapter.close();
    tiny.close();
    backend.close();
  }
}
