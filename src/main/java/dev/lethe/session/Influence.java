package dev.lethe.session;

import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.Curvature;
import dev.lethe.curvature.CurvatureOperator;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.curvature.MemoryBudget;
import dev.lethe.curvature.sum.BlockRange;
import dev.lethe.data.Sample;
import dev.lethe.influence.InfluenceScores;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.solve.Solver;
import dev.lethe.solve.SolverMonitor;
import dev.lethe.solve.SolverOptions;
import dev.lethe.solve.Solvers;
import dev.lethe.tensor.Tensor;
import dev.lethe.unlearn.DampingRule;
import java.nio.file.Path;
import java.util.List;

/**
 * The command {@code lethe influence}: what each training row does to the loss of queries, see {@link InfluenceScores}.
 * {@link DampingRule} chooses the damping and the weight decay, as in {@code unlearn}, by what the adapter's training
 * left; one system serves all queries, so that no request refines it.
 */
public final class Influence {
  /** Of the solves that nobody gave others: tolerance 1e-4, at most 200 iterations, seed 0. */
  public static final SolverOptions DEFAULT_SOLVES = SolverOptions.of(1e-4, 200, 0);

  private final AdaptedModel model;
  private final List<Sample> rows;
  private DampingRule.Chosen damping;
  private Curvature curvature = Curvature.GGN;
  private Solver solver = Solvers.byName("cg");
  private SolverOptions solves = DEFAULT_SOLVES;
  private BatchLimits limits = BatchLimits.DEFAULT;
  private SolverMonitor monitor = SolverMonitor.NONE;

  /**
   * @param model with the adapter of the folder; borrowed
   * @param adapterDir with what its training left
   * @param rows all rows that the adapter was trained on
   */
  public Influence(AdaptedModel model, Path adapterDir, List<Sample> rows) {
    this.model = model;
    this.rows = rows;
    this.damping = DampingRule.forAdapter(adapterDir).forInfluence().choose(null, null);
  }

  /** What is added to the curvature; {@link DampingRule}'s choice by default. */
  public Influence damping(DampingRule.Chosen value) {
    damping = value;
    return this;
  }

  /** Which curvature; Gauss-Newton by default. */
  public Influence curvature(Curvature value) {
    curvature = value;
    return this;
  }

  /** How systems are solved; conjugate gradients and {@link #DEFAULT_SOLVES} by default. */
  public Influence solver(Solver value, SolverOptions options) {
    solver = value;
    solves = options;
    return this;
  }

  /** How much is worked on at a time; {@link BatchLimits#DEFAULT} by default. */
  public Influence limits(BatchLimits value) {
    limits = value;
    return this;
  }

  /** Watches the solves, and may stop them. */
  public Influence monitor(SolverMonitor value) {
    monitor = value;
    return this;
  }

  /** What is added to the curvature, and who chose it. */
  public DampingRule.Chosen damping() {
    return damping;
  }

  /** The scores of all rows for each query: by how many nats its loss would change without the row. */
  public InfluenceScores.Result of(List<Sample> queries) {
    DatasetLoss loss = loss();
    int units = InfluenceScores.units(loss.of(queries));
    return of(queries, BlockRange.all(units), BlockRange.all(loss.blocks()));
  }

  /**
   * Some of these scores.
   *
   * @param units of the queries, {@link InfluenceScores#units}
   * @param blocks of the rows, {@link DatasetLoss#blocks}
   */
  public InfluenceScores.Result of(List<Sample> queries, BlockRange units, BlockRange blocks) {
    if (units.size() == 0) {
      return InfluenceScores.nothing();
    }
    DatasetLoss loss = loss();
    Tensor theta = model.adapter().theta();
    try (CurvatureOperator c =
        curvature.over(
            loss, theta, rows.size(), MemoryBudget.automatic(model.backend()), solves.seed())) {
      InfluenceScores scores =
          new InfluenceScores(
              loss.part(blocks), theta, c, damping.damping() + damping.weightDecay(), rows.size());
      return scores.of(loss.of(queries), units, new InfluenceScores.Solve(solver, solves, monitor));
    }
  }

  /** The losses of the rows that are scored. */
  public DatasetLoss loss() {
    return new DatasetLoss(model, rows, limits);
  }
}
