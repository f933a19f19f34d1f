package dev.lethe.unlearn;

import dev.lethe.ArgumentException;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.Curvature;
import dev.lethe.curvature.MemoryBudget;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.solve.SolverOptions;
import dev.lethe.train.TrainingRecord;
import dev.lethe.unlearn.EraserOptions.CurvatureData;
import dev.lethe.unlearn.EraserOptions.OuterTarget;
import dev.lethe.unlearn.request.UnlearnRequest;
import dev.lethe.unlearn.result.Checkpoint;
import dev.lethe.unlearn.result.DampingTable;
import dev.lethe.unlearn.result.UnlearnInterrupted;
import dev.lethe.unlearn.result.UnlearnResult;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Makes an adapter forget, by one or more damped Newton steps towards what training on other data
 * would have given:
 *
 * <pre>
 * b = (1/n) Σ_S [∇ℓ(z_old) − ∇ℓ(z_new)]     (C + λI) Δ = b     θ' = θ + Δ
 * </pre>
 *
 * with C the mean curvature over the rows as they should have been. After Koh and Liang (arXiv
 * 1703.04730) and LLMEraser (arXiv 2412.00383, eqs. 4-7); gradients are paired and free of dropout,
 * and the system is solved to a residual that is measured. The model's own adapter is not changed.
 */
public final class Eraser implements Unlearner {
  /** λ where nothing better is known. */
  public static final double DEFAULT_DAMPING = 1;

  /** The default relative residual. */
  public static final double DEFAULT_TOLERANCE = 1e-4;

  /** The default bound on iterations. */
  public static final int DEFAULT_ITERATIONS = 200;

  private final AdaptedModel model;
  private final UnlearnRequest request;
  private final EraserOptions options;
  private final List<Sample> heldOut;
  private final Path partial;
  private final boolean resume;
  private final TrainingRecord record;
  private final RequestDamping requestDamping;

  private Eraser(Builder builder, RequestDamping requestDamping, EraserOptions options) {
    this.model = builder.model;
    this.request = builder.request;
    this.options = options;
    this.heldOut = List.copyOf(builder.heldOut);
    this.partial = builder.partial;
    this.resume = builder.resume;
    this.record = builder.rule.record();
    this.requestDamping = requestDamping;
  }

  /**
   * @param model with the adapter that should forget
   * @param request what, and all rows that the adapter was trained on
   */
  public static Builder builder(AdaptedModel model, UnlearnRequest request) {
    return new Builder(model, request);
  }

  /** What will be done. */
  public EraserOptions options() {
    return options;
  }

  /**
   * Does it. The caller closes the result.
   *
   * @throws UnlearnInterrupted where the monitor asked for it
   * @throws dev.lethe.LetheException where the system cannot be solved: it is not positive definite
   *     or the solver diverged
   */
  @Override
  public UnlearnResult run(EraserMonitor monitor) {
    Checkpoint checkpoint = null;
    if (partial != null) {
      checkpoint = new Checkpoint(partial, identity());
      if (!resume) {
        checkpoint.requireFree();
      }
    }
    EraserRun run =
        new EraserRun(model, request, options, heldOut, monitor, checkpoint, resume);
    return run.run(requestDamping, record);
  }

  /**
   * What one step would be at each of several dampings, from one Krylov space; changes nothing. The
   * eraser's own damping and solver play no part, its weight decay does.
   *
   * @param dampings different numbers, 0 or more
   * @throws UnlearnInterrupted where the monitor asked for it
   */
  public DampingTable sweep(List<Double> dampings, EraserMonitor monitor) {
    return new DampingRun(model, request, options, monitor).run(dampings);
  }

  private Map<String, String> identity() {
    return Map.of(
        "model", model.model().sha256(),
        "adapter", model.adapter().sha256(),
        "data", TrainingRecord.dataSha256(request.data()),
        "request", request.sha256(),
        "options", options.identity(),
        "backend", model.backend().name() + " " + model.backend().vectorType());
  }

  /** Collects what is not at its default. */
  public static final class Builder {
    private final AdaptedModel model;
      private final UnlearnRequest request;
    private Curvature curvature = Curvature.GGN;
    private CurvatureData curvatureData = CurvatureData.TARGET;
    private int curvatureRows;
    private String solver = "cg";
    private Double damping;
    private Double weightDecay;
    private boolean automatic;
    private DampingRule rule = DampingRule.UNKNOWN;
    private double tolerance = DEFAULT_TOLERANCE;
    private int maxIterations = DEFAULT_ITERATIONS;
    private long seed;
    private int outerSteps = 1;
    private OuterTarget outerTarget = OuterTarget.MINIMUM;
    private int certificateRows = EraserOptions.ALL_ROWS;
    private BatchLimits limits = BatchLimits.DEFAULT;
    private MemoryBudget memory;
    private List<Sample> heldOut = List.of();
    private Path partial;
    private boolean resume;

    private Builder(AdaptedModel model, UnlearnRequest request) {
      if (model.adapter() == null) {
        throw new ArgumentException("a bare model has nothing to unlearn");
      }
      this.model = model;
      this.request = request;
      this.memory = MemoryBudget.automatic(model.backend());
    }

    /** C; {@code ggn} by default. */
    public Builder curvature(Curvature value) {
      this.curvature = value;
      return this;
    }

    /** The rows of C; the target rows by default. */
    public Builder curvatureData(CurvatureData value) {
      this.curvatureData = value;
      return this;
    }

    /** How many rows of C to draw; 0, the default, for all. */
    public Builder curvatureRows(int value) {
      this.curvatureRows = value;
      return this;
    }

    /** A name of {@link EraserOptions#solvers}; {@code cg} by default. */
    public Builder solver(String value) {
      this.solver = value;
      return this;
    }

    /**
     * λ. By default what {@link DampingRule} chooses by {@link #trainedIn}, and {@value #DEFAULT_DAMPING} where
     * nothing is known of the training: much for an adapter at a minimum, and safe for one far from it.
     */
    public Builder damping(double value) {
      this.damping = value;
      return this;
    }

    /**
     * wd of a training objective with the term ½·wd·‖θ‖². By default what {@link DampingRule} chooses by {@link
     * #trainedIn}, otherwise 0.
     */
    public Builder weightDecay(double value) {
      this.weightDecay = value;
      return this;
    }

    /** λ as the training record says, also for an adapter at a minimum of its objective. */
    public Builder automaticDamping() {
      this.automatic = true;
      return this;
    }

    /**
     * The folder that the adapter was read from, and what its training left there: λ and wd follow from it, see {@link
     * DampingRule}, and what does not agree with it is a warning. Nothing is known of the training by default.
     */
    public Builder trainedIn(Path adapterDir) {
      this.rule = DampingRule.forAdapter(adapterDir).forInfluence();
      return this;
    }

    /** As {@link #trainedIn} for an adapter in memory, where AdamW's vectors are not at hand. */
    public Builder trainingRecord(TrainingRecord value) {
      this.rule = DampingRule.of(value).forInfluence();
      return this;
    }

    /** Relative residual at which a solve ends; {@value #DEFAULT_TOLERANCE} by default. */
    public Builder tolerance(double value) {
      this.tolerance = value;
      return this;
    }

    /** The most iterations of a solve; {@value #DEFAULT_ITERATIONS} by default. */
    public Builder maxIterations(int value) {
      this.maxIterations = value;
      return this;
    }

    /** Seed of drawn rows and stochastic solvers; 0 by default. */
    public Builder seed(long value) {
      this.seed = value;
      return this;
    }

    /** Solves in a row; 1 by default. */
    public Builder outerSteps(int value) {
      this.outerSteps = value;
      return this;
    }

    /** What the solves after the first aim at; a minimum by default. */
    public Builder outerTarget(OuterTarget value) {
      this.outerTarget = value;
      return this;
    }

    /**
     * How many target rows to draw for the certificate's gradient norms and retained loss; {@link
     * EraserOptions#ALL_ROWS}, the default, or 0 to leave these out. The step does not depend on it.
     * Several outer steps need all rows.
     */
    public Builder certificateRows(int value) {
      this.certificateRows = value;
      return this;
    }

    public Builder limits(BatchLimits value) {
      this.limits = value;
      return this;
    }

    public Builder memory(MemoryBudget value) {
      this.memory = value;
      return this;
    }

    /** Rows that took no part in training, for the certificate. */
    public Builder heldOut(List<Sample> value) {
      this.heldOut = value;
      return this;
    }

    /** A folder for the state of an interrupted run; none by default. */
    public Builder partial(Path value) {
      this.partial = value;
      return this;
    }

    /** Whether to go on from the state in that folder. */
    public Builder resume(boolean value) {
      this.resume = value;
      return this;
    }

    /** Checks the options. */
    public Eraser build() {
      DampingRule.Chosen chosen =
          automatic ? rule.automatic(weightDecay) : rule.choose(damping, weightDecay);
      RequestDamping byRequest = rule.byRequest(chosen, model.layout());
      return new Eraser(
          this,
          byRequest,
          new EraserOptions(
              curvature, curvatureData, curvatureRows, solver, chosen.damping(),
              byRequest == null ? chosen.from() : DampingRule.BY_REQUEST, chosen.weightDecay(),
              SolverOptions.of(tolerance, maxIterations, seed), outerSteps, outerTarget,
              certificateRows, limits, memory));
    }
  }
}
