package dev.lethe.unlearn;

import dev.lethe.data.Sample;
import dev.lethe.influence.BatchLimits;
import dev.lethe.influence.Curvature;
import dev.lethe.influence.MemoryBudget;
import dev.lethe.influence.SolverOptions;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.train.OptimizerKind;
import dev.lethe.train.TrainingRecord;
import dev.lethe.unlearn.EraserOptions.CurvatureData;
import dev.lethe.unlearn.EraserOptions.OuterTarget;
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
  private final List<Sample> data;
  private final UnlearnRequest request;
  private final EraserOptions options;
  private final List<Sample> heldOut;
  private final Path partial;
  private final boolean resume;
  private final TrainingRecord record;
  private final RequestDamping requestDamping;

  private Eraser(Builder builder, EraserOptions options) {
    this.model = builder.model;
    this.data = List.copyOf(builder.data);
    this.request = builder.request;
    this.options = options;
    this.heldOut = List.copyOf(builder.heldOut);
    this.partial = builder.partial;
    this.resume = builder.resume;
    this.record = builder.record;
    this.requestDamping = builder.requestDamping;
  }

  /**
   * @param model with the adapter that should forget
   * @param data all rows that the adapter was trained on
   */
  public static Builder builder(AdaptedModel model, List<Sample> data, UnlearnRequest request) {
    return new Builder(model, data, request);
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
        new EraserRun(model, data, request, options, heldOut, monitor, checkpoint, resume);
    return run.run(new CertificateMaker(model, data, request, record), requestDamping);
  }

  /**
   * What one step would be at each of several dampings, from one Krylov space; changes nothing. The
   * eraser's own damping and solver play no part, its weight decay does.
   *
   * @param dampings different numbers, 0 or more
   * @throws UnlearnInterrupted where the monitor asked for it
   */
  public DampingTable sweep(List<Double> dampings, EraserMonitor monitor) {
    return new DampingRun(model, data, request, options, monitor).run(dampings);
  }

  private Map<String, String> identity() {
    return Map.of(
        "model", model.model().sha256(),
        "adapter", model.adapter().sha256(),
        "data", TrainingRecord.dataSha256(data),
        "request", request.sha256(),
        "options", options.identity(),
        "backend", model.backend().name() + " " + model.backend().vectorType());
  }

  /** Collects what is not at its default. */
  public static final class Builder {
    private final AdaptedModel model;
    private final List<Sample> data;
    private final UnlearnRequest request;
    private Curvature curvature = Curvature.GGN;
    private CurvatureData curvatureData = CurvatureData.TARGET;
    private int curvatureRows;
    private String solver = "cg";
    private Double damping;
    private Double weightDecay;
    private TrainingRecord record;
    private RequestDamping requestDamping;
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

    private Builder(AdaptedModel model, List<Sample> data, UnlearnRequest request) {
      if (model.adapter() == null) {
        throw new IllegalArgumentException("a bare model has nothing to unlearn");
      }
      this.model = model;
      this.data = data;
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
     * λ. By default what the training record says, see {@link #trainingRecord}, and without a
     * record {@value #DEFAULT_DAMPING}, which is much for an adapter at a minimum and safe for one
     * far from it.
     */
    public Builder damping(double value) {
      this.damping = value;
      return this;
    }

    /**
     * wd of a training objective with the term ½·wd·‖θ‖². By default the training record's where
     * the optimiser was SGD, otherwise 0: the decay of AdamW is no such term.
     */
    public Builder weightDecay(double value) {
      this.weightDecay = value;
      return this;
    }

    /** As the other, where AdamW's vectors are not at hand. */
    public Builder trainingRecord(TrainingRecord value) {
      return trainingRecord(value, null);
    }

    /**
     * The record of the adapter's training: defaults come from it, and what does not agree with it
     * is a warning. λ is √v̂ of AdamW, averaged over the parameters with the weights b² of the
     * request, over the sum of the learning rates; without AdamW's vectors it is {@link
     * TrainingRecord#autoDamping}.
     *
     * @param adapterDir the adapter's folder, where AdamW's vectors lie; null where there is none
     */
    public Builder trainingRecord(TrainingRecord value, Path adapterDir) {
      this.record = value;
      this.requestDamping =
          adapterDir == null ? null : RequestDamping.read(adapterDir, value, model.layout());
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
      boolean trained = record != null;
      String chosenBy = "default";
      double chosen = DEFAULT_DAMPING;
      if (damping != null) {
        chosenBy = "given";
        chosen = damping;
      } else if (trained && requestDamping != null) {
        chosenBy = EraserOptions.BY_REQUEST;
        chosen = record.autoDamping();
      } else if (trained) {
        chosenBy = "auto, from the training record";
        chosen = record.autoDamping();
      }
      double decay = trained && record.optimizer() == OptimizerKind.SGD ? record.weightDecay() : 0;
      return new Eraser(
          this,
          new EraserOptions(
              curvature, curvatureData, curvatureRows, solver, chosen, chosenBy,
              weightDecay == null ? decay : weightDecay,
              SolverOptions.of(tolerance, maxIterations, seed), outerSteps, outerTarget,
              certificateRows, limits, memory));
    }
  }
}
