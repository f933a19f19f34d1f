package dev.lethe.solve;

import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.Curvature;
import dev.lethe.curvature.DatasetCurvature;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.curvature.MemoryBudget;
import dev.lethe.jmh.ModelBenchmark;
import dev.lethe.tensor.Scope;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Param;

/**
 * Claim: an iteration of a Krylov solver costs its one product with the curvature ({@code
 * ProductBenchmark.gaussNewtonKept}) and little else.
 */
public class SolverBenchmark extends ModelBenchmark {
  private static final int ITERATIONS = 10;

  /** Never reached, so that every solve takes all its iterations. */
  private static final double TOLERANCE = 1e-30;

  @Param({"cg", "minres"})
  public String solver;

  private DatasetCurvature curvature;

  @Override
  protected void prepare() {
    DatasetLoss loss = new DatasetLoss(model.adapted(), model.samples(), BatchLimits.DEFAULT);
    curvature =
        new DatasetCurvature(
            Curvature.GGN,
            loss,
            model.theta(),
            model.samples().size(),
            MemoryBudget.automatic(model.backend()));
  }

  @Override
  protected void release() {
    curvature.close();
  }

  @Benchmark
  @OperationsPerInvocation(ITERATIONS)
  public Solution iteration() {
    try (Scope owner = model.backend().openScope("solution")) {
      LinearProblem problem =
          new LinearProblem(model.backend(), curvature, 1e-3, model.g().row(0), owner);
      SolverOptions options = SolverOptions.of(TOLERANCE, ITERATIONS, 0);
      return Solvers.byName(solver).solve(problem, options, SolverMonitor.NONE);
    }
  }
}
