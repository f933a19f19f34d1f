package dev.lethe.solve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.Curvature;
import dev.lethe.curvature.DatasetCurvature;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.curvature.MemoryBudget;
import dev.lethe.data.Sample;
import dev.lethe.influence.InfluenceScores;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Signs and factors of influence against the truth: an adapter at a minimum of (1/n)Σℓᵢ +
 * ½·wd·‖θ‖², samples removed, and the minimum found again from there.
 */
class RemovalTest {
  private static final MemoryBudget PLENTY = new MemoryBudget(1L << 30);
  private static final long SEED = 5;
  private static final int N = 24;
  private static final double DECAY = 0.03;

  @TempDir Path dir;
  private Backend backend;
  private Scope scope;
  private TinyModels.Tiny tiny;
  private LoraAdapter adapter;
  private DatasetLoss all;
  private Tensor theta;

  @BeforeEach
  void trainToMinimum() {
    backend = Backends.select("reference", BackendOptions.DEFAULT);
    scope = backend.openScope("test");
    tiny = TinyModels.open(dir, new TinyModels.Dims(1, 8, 11, 2, 1, 13, 32, ""), backend, SEED);
    adapter = TinyModels.adapter(tiny.model(), 1, 2, List.of("v_proj", "down_proj"), SEED);
    theta = adapter.theta();
    all =
        new DatasetLoss(
            new AdaptedModel(tiny.model(), adapter),
            TinyModels.samples(N, 13, 4, 9, SEED),
            new BatchLimits(10, 60));
    LevenbergMarquardt.Result found = minimise(all, theta, DECAY);
    assertTrue(found.converged(), found.toString());
  }

  @AfterEach
  void close() {
    scope.close();
    adapter.close();
    tiny.close();
    backend.close();
  }

  /** The exact Hessian is positive definite on the data of the minimum; Gauss-Newton on any. */
  @ParameterizedTest
  @CsvSource({"GGN,true,0.6", "GGN,false,0.9", "HESSIAN,false,0.35"})
  void aSolveGoesMostOfTheWayToTheRetrainedAdapter(
      Curvature kind, boolean target, double bound) {
    List<Sample> forgotten = all.samples().subList(0, 3);
    DatasetLoss retained = all.of(all.samples().subList(3, N));
    Tensor retrained = copy(theta);
    // the same objective divided by (n−k)/n, so that 1/n and the decay stay
    LevenbergMarquardt.Result found = minimise(retained, retrained, DECAY * N / (N - 3.0));
    assertTrue(found.converged(), found.toString());
    Tensor moved = unlearned(kind, target ? retained : all, forgotten);
    double nothing = adapter.deltaWeightDistance(theta, retrained);
    double left = adapter.deltaWeightDistance(moved, retrained);
    assertTrue(left < bound * nothing, left + " left of " + nothing);
    Tensor opposite = copy(moved);
    backend.vectors().axpby(2, theta, -1, opposite);
    double wrong = adapter.deltaWeightDistance(opposite, retrained);
    assertTrue(wrong > 1.3 * nothing, "the opposite step leaves " + wrong + " of " + nothing);
  }

  @Test
  void scoresPredictWhatRemovingASampleDoes() {
    DatasetLoss queries = all.of(TinyModels.samples(4, 13, 5, 9, SEED + 1));
    InfluenceScores.Result found;
    try (DatasetCurvature c = curvature(Curvature.HESSIAN, all)) {
      found =
          new InfluenceScores(all, theta, c, DECAY, N)
              .of(
                  queries,
                  Solvers.byName("minres"),
                  SolverOptions.of(1e-8, 500, 0),
                  SolverMonitor.NONE);
    }
    assertTrue(found.complete());
    assertEquals(4, found.scores().length);
    assertEquals(N, found.scores()[0].length);
    double[] before = queries.losses(theta);
    double agree = 0;
    double predicted = 0;
    double observed = 0;
    for (int i = 0; i < N; i += 4) {
      List<Sample> rest = new ArrayList<>(all.samples());
      rest.remove(i);
      Tensor retrained = copy(theta);
      minimise(all.of(rest), retrained, DECAY * N / (N - 1.0));
      double[] after = queries.losses(retrained);
      for (int q = 0; q < 4; q++) {
        double change = after[q] - before[q];
        agree += change * found.scores()[q][i];
        predicted += found.scores()[q][i] * found.scores()[q][i];
        observed += change * change;
      }
    }
    double cosine = agree / Math.sqrt(predicted * observed);
    double size = Math.sqrt(predicted / observed);
    assertTrue(cosine > 0.9, "cosine of predicted and observed changes: " + cosine);
    assertTrue(size > 0.6 && size < 1.4, "predicted over observed: " + size);
  }

  private Tensor unlearned(Curvature kind, DatasetLoss data, List<Sample> forgotten) {
    Tensor b = scope.allocate(backend.vectorType(), all.parameters());
    backend.vectors().fill(b, 0);
    all.of(forgotten).addGradient(theta, 1.0 / N, b);
    try (DatasetCurvature c = curvature(kind, data)) {
      LinearProblem problem = new LinearProblem(backend, c, DECAY, b, scope);
      SolverOptions options = SolverOptions.of(1e-8, 500, 0);
      Solution found = Solvers.byName("minres").solve(problem, options, SolverMonitor.NONE);
      assertTrue(found.converged(), found.stop());
      backend.vectors().axpy(1, theta, found.x());
      return found.x();
    }
  }

  private DatasetCurvature curvature(Curvature kind, DatasetLoss data) {
    return new DatasetCurvature(kind, data, theta, N, PLENTY);
  }

  private LevenbergMarquardt.Result minimise(DatasetLoss data, Tensor at, double decay) {
    LevenbergMarquardt.Options options =
        new LevenbergMarquardt.Options(decay, 1e-9, 400, Curvature.HESSIAN, 1, 300);
    return new LevenbergMarquardt(data, options, PLENTY)
        .minimise(at, LevenbergMarquardt.Monitor.NONE);
  }

  private Tensor copy(Tensor from) {
    Tensor copy = scope.allocate(backend.vectorType(), from.elements());
    backend.vectors().copy(from, copy);
    return copy;
  }
}
