package dev.lethe.unlearn.certificate;

import com.fasterxml.jackson.annotation.JsonInclude;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tools.jackson.databind.MapperFeature;
import tools.jackson.databind.SerializationFeature;
import tools.jackson.databind.json.JsonMapper;

/**
 * What was asked, what was done and what came of it: enough to judge an unlearned adapter and to do
 * it again, and nothing of what the samples say. A number that was not measured is null, and so is a
 * part that the method does not have.
 *
 * @param format {@link #FORMAT}
 * @param created UTC, ISO 8601
 * @param replay of the recorded training
 * @param system the linear system of an influence step, solved in {@code steps}
 * @param chain SHA-256 of the certificates of earlier requests to the same training, oldest first
 */
public record Certificate(
    String format,
    String created,
    Environment environment,
    Hashes hashes,
    Asked request,
    Method method,
    Replay replay,
    LinearSystem system,
    List<OuterStep> steps,
    Gradients gradients,
    Weights weights,
    Losses losses,
    Cost cost,
    Closure closure,
    Times seconds,
    List<String> chain,
    List<String> warnings,
    List<String> notes) {
  /** The layout of this record; a change of meaning changes it. */
  public static final String FORMAT = "lethe-unlearning-certificate/3";

  private static final JsonMapper JSON =
      JsonMapper.builder()
          .disable(MapperFeature.SORT_PROPERTIES_ALPHABETICALLY)
          .enable(SerializationFeature.INDENT_OUTPUT)
          .build();

  public Certificate {
    steps = List.copyOf(steps);
    chain = List.copyOf(chain);
    warnings = List.copyOf(warnings);
    notes = List.copyOf(notes);
  }

  /** As indented JSON with a newline at the end. */
  public String toJson() {
    return JSON.writeValueAsString(StrictJson.finite(JSON.valueToTree(this))) + "\n";
  }

  /** Writes {@link #toJson}, whole or not at all. */
  public void write(Path file) {
    AtomicFiles.writeText(file, toJson());
  }

  /** As a table for people. */
  public String toText() {
    return CertificateText.of(this);
  }

  /**
   * @param backend its name, and in {@code device} its own words
   * @param vectorType the number format of adapter, step and solver vectors
   */
  public record Environment(
      String lethe, String java, String system, String backend, String device, String vectorType) {}

  /**
   * Hashes in hex of what went in and came out: SHA-256 of the model and of the adapters' parameters, HMAC-SHA256 of
   * what rows say.
   *
   * @param rowKeyId tells which key that was, see {@link dev.lethe.data.RowKey#id}
   */
  public record Hashes(
      String model, String data, String request, String adapterBefore, String adapterAfter, String rowKeyId) {}

  /**
   * @param rows n, all rows that the adapter rests on before this request
   * @param removed how many of them go
   * @param replaced how many get a new version
   * @param retained how many nobody asked to change
   * @param earlier what earlier requests to the same training changed, oldest first
   */
  public record Asked(
      long rows, long removed, long replaced, long retained, List<Row> earlier, List<Row> changes) {
    public Asked {
      earlier = List.copyOf(earlier);
      changes = List.copyOf(changes);
    }
  }

  /**
   * One requested row by id and keyed hashes of its contents.
   *
   * @param oldHash null where an earlier request's key was lost
   * @param newHash likewise, and null for a removal
   */
  public record Row(String id, String change, String oldHash, String newHash) {}

  /**
   * How the new adapter was made.
   *
   * @param name {@code recorded}, {@code exact}, {@code averaged}, {@code influence}, or a published method's
   * @param divisor what removals do to the weights of a batch's other rows; null where there are no batches
   * @param worth what the method is worth, in a sentence
   * @param settings a published method's hyper-parameters, or how a replayed training was not a usual one, by name; not
   *     written where there are none
   */
  public record Method(
      String name,
      String divisor,
      String worth,
      @JsonInclude(JsonInclude.Include.NON_EMPTY) Map<String, String> settings) {
    public Method {
      settings = Collections.unmodifiableMap(new LinkedHashMap<>(settings));
    }

    /** A method whose choices stand elsewhere in the certificate. */
    public Method(String name, String divisor, String worth) {
      this(name, divisor, worth, Map.of());
    }
  }

  /**
   * A replay of the recorded training.
   *
   * @param steps K
   * @param firstTouchedStep the first that the request changes, from 1
   * @param exactHeadSteps how many were retrained before the replay
   * @param gradients number format of the recorded gradients
   * @param operator what stands for the change of the retained rows' gradient
   * @param operatorEvery the most steps from one product of its curvature to the next; 0 where only a turn of the
   *     direction calls for one
   */
  public record Replay(
      long steps,
      long firstTouchedStep,
      long exactHeadSteps,
      String gradients,
      String operator,
      long operatorEvery) {}

  /**
   * What the new adapter took, beside training again. Seconds of training again are estimated from the
   * gradients that were made here: where a replay measured itself, from the median of its measured batches.
   *
   * @param sampleGradients gradients of single rows, those by which a replay corrects itself included; one half for a
   *     forward or a backward alone
   * @param retraining gradients of single rows that training again takes; null where no record of the training is there
   */
  public record Cost(
      long sampleGradients, Long retraining, double seconds, Double retrainingSeconds) {}

  /**
   * How well the operator described the change of the retained rows' gradient, and what follows from it.
   *
   * @param forgotten part of the distance to retraining that is closed on the requested rows, in mean KL divergence
   *     of the predictions, 1 for all of it; an estimate; null where there is no such distance or no such row
   * @param retained the same on a few retained rows
   */
  public record Closure(Double forgotten, Double retained, List<Point> points) {
    public Closure {
      points = List.copyOf(points);
    }
  }

  /**
   * The operator against the truth at one step.
   *
   * @param step from 1
   * @param rows retained rows of the batch
   * @param error ‖estimate − truth‖/‖truth‖ of the change of their gradient; null where the truth is 0
   * @param cosine between estimate and truth; null where one of them is 0
   * @param corrected the error that is left when the other points correct the estimate; null where the truth is 0
   */
  public record Point(long step, long rows, Double error, Double cosine, Double corrected) {}

  /**
   * @param curvature of the objective, a mean over {@code curvatureRows} rows of the {@code
   *     curvatureData}
   * @param damping λ, and in {@code dampingFrom} who chose it
   * @param weightDecay of the objective; part of its gradient and of its curvature
   * @param seed of everything random: a chosen subset of rows, a stochastic solver
   */
  public record LinearSystem(
      String solver,
      String curvature,
      String curvatureData,
      long curvatureRows,
      double damping,
      String dampingFrom,
      double weightDecay,
      double tolerance,
      long maxIterations,
      long outerSteps,
      String outerTarget,
      long seed) {}

  /**
   * One solve.
   *
   * @param rhsNorm ‖b‖
   * @param stepNorm ‖Δ‖; raw parameters, so meaningful within one adapter only
   * @param residual ‖(C+λI)Δ − b‖/‖b‖, recomputed; null where it is not known
   * @param residualOnOthers the same with the curvature of as many other rows, where rows were drawn: what that costs in
   *     accuracy; null where all rows were taken
   * @param stop why the solver stopped
   * @param targetGradientNorm norm of the target objective's gradient before this step, over the
   *     rows of {@link Gradients}
   */
  public record OuterStep(
      long step,
      double rhsNorm,
      double stepNorm,
      long iterations,
      long products,
      Double residual,
      Double residualOnOthers,
      boolean converged,
      String stop,
      Double targetGradientNorm) {}

  /**
   * Gradient norms.
   *
   * @param targetRows how many target rows {@code trainedBefore}, {@code targetBefore}, {@code
   *     targetAfter} and {@code unrest} are measured over, drawn by the seed where these are not
   *     all; 0 where nothing of it is measured
   * @param trainedBefore of the objective the adapter was trained on: 0 at a minimum
   * @param targetBefore of the objective on the rows as they should have been, before the steps
   * @param targetAfter of the same after the steps; a retrained adapter's is as {@code
   *     trainedBefore}
   * @param request ‖b‖ of the first step: what the request asks for
   * @param unrest trainedBefore/request; below 0.1 the adapter counts as near a minimum; null where request is 0
   */
  public record Gradients(
      Long targetRows,
      Double trainedBefore,
      Double targetBefore,
      Double targetAfter,
      Double request,
      Double unrest) {}

  /**
   * Sizes that do not depend on how a product BA is split, see {@link
   * dev.lethe.nn.LoraAdapter#deltaWeightDistance}.
   *
   * @param adapter ‖ΔW‖ of the old adapter
   * @param step ‖ΔW' − ΔW‖ between old and new
   */
  public record Weights(Double adapter, Double step) {}

  /**
   * Mean losses of groups of rows; a group that is empty is null. Retained rows are those among the
   * gradients' target rows.
   */
  public record Losses(Pair forgotten, Pair replacements, Pair retained, Pair heldOut) {}

  /** The mean of the rows' losses before and after. */
  public record Pair(long rows, double before, double after) {}

  /**
   * Wall-clock seconds of all sessions that the run took.
   *
   * @param gradients b, and the objectives' gradients
   * @param linearization primal passes kept for the products
   * @param products curvature products
   * @param solver the solver's own arithmetic
   * @param evaluation losses measured for this page
   */
  public record Times(
      double gradients,
      double linearization,
      double products,
      double solver,
      double evaluation,
      double total) {}
}
