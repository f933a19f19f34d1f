package dev.lethe.replay;

import dev.lethe.autograd.Linearization;
import dev.lethe.backend.Backend;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.replay.operator.ReplayOperator;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Operators that know the model: what an amortised one is held against. */
final class TestOperators {
  private TestOperators() {}

  /** No curvature at all. */
  static ReplayOperator none() {
    return operator("none", (step, d, scale, out) -> {});
  }

  /** The true change of the retained rows' mean gradient, one request a column. */
  static ReplayOperator trueDifference(
      PlainTraining training, PlainTraining.Run trained, int[][] order, List<ReplayRequest> requests) {
    return operator(
        "true difference",
        (step, d, scale, out) -> {
          double[] theta = trained.thetas().get(step);
          for (int j = 0; j < requests.size(); j++) {
            double[] weights = new double[order[step].length];
            for (int i = 0; i < weights.length; i++) {
              RowChange change = requests.get(j).changes().get(order[step][i]);
              weights[i] = change == null || !change.removes() ? 1 : 0;
            }
            double share = Arrays.stream(weights).sum();
            if (share == 0) {
              continue;
            }
            double[] moved = theta.clone();
            for (int i = 0; i < moved.length; i++) {
              moved[i] += d.row(j).get(i);
            }
            double[] means = Arrays.stream(weights).map(w -> w / share).toArray();
            double[] there = training.gradient(order[step], means, requests.get(j), moved);
            double[] here = training.gradient(order[step], means, requests.get(j), theta);
            Tensor row = out.row(j);
            for (int i = 0; i < there.length; i++) {
              row.set(i, row.get(i) + scale * (there[i] - here[i]));
            }
          }
        });
  }

  /** Each batch's exact mean Hessian at θₖ. */
  static ReplayOperator batchHessian(
      AdaptedModel model, List<Sample> samples, PlainTraining.Run trained, int[][] order) {
    Backend backend = model.backend();
    return operator(
        "batch Hessian",
        (step, d, scale, out) -> {
          List<Sample> rows = new ArrayList<>();
          for (int place : order[step]) {
            rows.add(samples.get(place));
          }
          double[] theta = trained.thetas().get(step);
          try (Scope scope = backend.openScope("batch Hessian");
              Batch batch = Batch.of(rows, backend)) {
            Tensor at = scope.allocate(backend.vectorType(), theta.length);
            backend.upload(Tensor.of(Shape.of(theta.length), theta), at);
            try (Linearization linearization = new Linearization(backend, model.tape(batch), at)) {
              linearization.addHvp(d, scale / rows.size(), out);
            }
          }
        });
  }

  private static ReplayOperator operator(String name, Product product) {
    return new ReplayOperator() {
      @Override
      public String name() {
        return name;
      }

      @Override
      public void addProduct(int step, Tensor d, double scale, Tensor out) {
        product.add(step, d, scale, out);
      }

      @Override
      public void close() {}
    };
  }

  private interface Product {
    void add(int step, Tensor d, double scale, Tensor out);
  }
}
