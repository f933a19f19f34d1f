package dev.lethe.replay.prepare;

import dev.lethe.autograd.AdapterVisitor;
import dev.lethe.backend.Backend;
import dev.lethe.curvature.DrawnPass;
import dev.lethe.curvature.FactorStatistics;
import dev.lethe.data.Sample;
import dev.lethe.data.work.RowTask;
import dev.lethe.data.work.RowWorker;
import dev.lethe.data.work.RowWorkers;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.HostTensors;
import dev.lethe.replay.operator.BilinearTerm;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.SplitMix64;
import dev.lethe.tensor.Tensor;
import dev.lethe.tensor.TensorBytes;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;

/**
 * What is to be made at a visited step, wherever the model is: it depends on nothing but θ and the step's rows, so that
 * several machines may make several steps.
 *
 * @param step of the run
 * @param batches its rows as they go through the model
 * @param wanted of what is made
 * @param draws sampled gradients of each row
 * @param seed of labels
 * @param rank at which gradients of full weights are kept
 */
record VisitWork(int step, ArrayList<Rows> batches, Wanted wanted, int draws, long seed, int rank)
    implements Serializable {
  /**
   * Rows that go through the model together.
   *
   * @param weight of each in the step's gradient
   * @param places in the log
   * @param samples as many
   */
  record Rows(double weight, int[] places, ArrayList<Sample> samples) implements Serializable {}

  /**
   * Which of them are wanted.
   *
   * @param sketch sampled gradients
   * @param factors sums for EK-FAC's bases
   * @param weights gradients of the full weights
   */
  record Wanted(boolean sketch, boolean factors, boolean weights) implements Serializable {
    boolean any() {
      return sketch || factors || weights;
    }
  }

  /**
   * What was made besides sampled gradients, in host memory.
   *
   * @param factors sums by name; empty where they were not wanted
   * @param inputOf of {@link FactorStatistics#inputOf}; null where they were not wanted
   * @param weights a layer each; empty where they were not wanted
   */
  record Made(Map<String, Tensor> factors, int[] inputOf, List<BilinearTerm.Weight> weights) {}

  /**
   * Makes it.
   *
   * @param theta (P)
   * @param sampled takes the rows of a batch, BF16 (P) on the host, valid during the call, with their places
   */
  Made at(AdaptedModel model, Tensor theta, BiConsumer<Integer, Tensor> sampled) {
    Backend backend = model.backend();
    Tensor host = HostTensors.zeros(DType.BF16, theta.elements());
    try (FactorStatistics factors = wanted.factors ? new FactorStatistics(backend, model.adapted()) : null;
        WeightGradients weights = wanted.weights ? new WeightGradients(backend, model.adapted(), tokens()) : null) {
      for (int b = 0; b < batches.size(); b++) {
        Rows rows = batches.get(b);
        try (DrawnPass pass = new DrawnPass(model, rows.samples, theta)) {
          AdapterVisitor own = weights == null ? null : weights.adder(rows.weight);
          if (wanted.sketch || factors != null) {
            pass.draw(
                draws,
                SplitMix64.bits(seed ^ step, b),
                factors,
                wanted.sketch ? gradients -> hand(backend, rows.places, gradients, host, sampled) : null,
                own);
          } else {
            pass.linearization().forEachAdapter(own);
          }
        }
      }
      return new Made(
          factors == null ? Map.of() : factors.toHost(),
          factors == null ? null : factors.inputOf(),
          weights == null ? List.of() : weights.lowRank(rank));
    }
  }

  private long tokens() {
    return batches.stream().flatMap(rows -> rows.samples.stream()).mapToLong(Sample::length).sum();
  }

  private static void hand(
      Backend backend, int[] places, Tensor gradients, Tensor host, BiConsumer<Integer, Tensor> sampled) {
    for (int i = 0; i < gradients.dim(0); i++) {
      backend.download(gradients.row(i), host);
      sampled.accept(places[i % places.length], host);
    }
  }

  /** One step's work, to be sent. */
  record Sent(VisitWork work, TensorBytes theta) implements Serializable {}

  /** What comes back. */
  record Answer(
      ArrayList<Integer> places,
      ArrayList<TensorBytes> sampled,
      LinkedHashMap<String, TensorBytes> factors,
      int[] inputOf,
      ArrayList<TensorBytes> weights)
      implements Serializable {
    /** Hands out the sampled gradients as {@link VisitWork#at} does, and gives the rest. */
    Made made(BiConsumer<Integer, Tensor> out) {
      for (int i = 0; i < sampled.size(); i++) {
        out.accept(places.get(i), sampled.get(i).tensor());
      }
      Map<String, Tensor> sums = new LinkedHashMap<>();
      factors.forEach((name, sum) -> sums.put(name, sum.tensor()));
      List<BilinearTerm.Weight> layers = new ArrayList<>();
      for (int i = 0; i < weights.size(); i += 2) {
        layers.add(new BilinearTerm.Weight(weights.get(i).tensor(), weights.get(i + 1).tensor()));
      }
      return new Made(sums, inputOf, layers);
    }
  }

  private static final class Visiting implements RowTask<AdaptedModel, Sent, Answer> {
    private static final long serialVersionUID = 1;

    @Override
    public Answer run(RowWorker<AdaptedModel> worker, Sent part) {
      AdaptedModel model = worker.model();
      ArrayList<Integer> places = new ArrayList<>();
      ArrayList<TensorBytes> sampled = new ArrayList<>();
      try (Scope scope = model.backend().openScope("visited step")) {
        Tensor theta = HostTensors.uploaded(model.backend(), scope, part.theta.tensor());
        Made made =
            part.work.at(
                model,
                theta,
                (place, row) -> {
                  places.add(place);
                  sampled.add(TensorBytes.of(row));
                });
        LinkedHashMap<String, TensorBytes> factors = new LinkedHashMap<>();
        made.factors.forEach((name, sum) -> factors.put(name, TensorBytes.of(sum)));
        ArrayList<TensorBytes> weights = new ArrayList<>();
        for (BilinearTerm.Weight each : made.weights) {
          weights.add(TensorBytes.of(each.x()));
          weights.add(TensorBytes.of(each.gy()));
        }
        return new Answer(places, sampled, factors, made.inputOf, weights);
      }
    }
  }

  /** Makes several steps' work on workers; the answers are in its order. */
  static List<Answer> share(RowWorkers<AdaptedModel> workers, List<Sent> visits) {
    return workers.once(visits, new Visiting());
  }
}
