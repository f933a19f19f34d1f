package dev.lethe.session.machine;

import dev.lethe.autograd.Gradients;
import dev.lethe.autograd.Linearization;
import dev.lethe.autograd.OtherLosses;
import dev.lethe.backend.Backend;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.Curvature;
import dev.lethe.curvature.CurvatureOperator;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.curvature.DrawnPass;
import dev.lethe.curvature.EkfacBasis;
import dev.lethe.curvature.MemoryBudget;
import dev.lethe.data.Batches;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.nn.GenerationOptions;
import dev.lethe.nn.Generator;
import dev.lethe.replay.MeasuredReplay;
import dev.lethe.replay.prepare.PreparationSize;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.OptimizerReplay;
import dev.lethe.train.TrainingPlan;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * What a command does with a model, as far as memory goes: the passes over its largest batches and its vectors.
 *
 * @param label as in the output of {@code inspect}
 * @param needsAdapter whether it is work on an adapter
 * @param smaller the option that makes its batches smaller; null: none does
 * @param doing does it
 */
public record Work(String label, boolean needsAdapter, String smaller, Doing doing) {
  /** Work on rows in batches, with vectors of a scope. */
  @FunctionalInterface
  public interface Doing {
    /** Does it, on a rehearsal or in earnest. */
    void on(AdaptedModel model, List<Sample> rows, BatchLimits limits, Scope scope);
  }

  /** Tokens that {@code generate} makes unless it is told otherwise. */
  public static final int NEW_TOKENS = 100;

  static final String BATCH_TOKENS = "--batch-tokens";

  public static final Work EVALUATE = new Work("evaluate", false, BATCH_TOKENS, Work::evaluate);
  public static final Work GRADIENTS = onAdapter("gradients", Work::gradients);

  /** With the host's copy of all of them, which is written at the end. */
  public static final Work PER_SAMPLE =
      onAdapter(
          "per_sample",
          (model, rows, limits, scope) -> {
            vectors(model, rows.size(), scope);
            perSample(model, rows, limits);
          });

  public static final Work HVP =
      onAdapter(
          "hvp",
          (model, rows, limits, scope) -> {
            Tensor vectors = vectors(model, 3, scope);
            for (List<Sample> batch : largest(rows, limits)) {
              product(model, batch, limits, Curvature.HESSIAN, MemoryBudget.NONE, vectors);
            }
          });

  /** Vectors that a solver and the step hold. */
  private static final int SOLVER_VECTORS = 10;

  /** The gradient and the optimiser's two. */
  private static final int TRAINING_VECTORS = 3;

  /** A new adapter, the original's parameters, the gradient and the optimiser's two. */
  private static final int DESCENT_VECTORS = 5;

  /** This work, and then another on the same model and rows, whose vectors are given back before. */
  public Work then(Work next) {
    return new Work(
        label,
        needsAdapter,
        smaller,
        (model, rows, limits, scope) -> {
          doing.on(model, rows, limits, scope);
          try (Scope own = model.backend().openScope(next.label)) {
            next.doing.on(model, rows, limits, own);
          }
        });
  }

  /** Continues the first row as a prompt. */
  public static Work generate(int newTokens) {
    return new Work(
        "generate",
        false,
        "--max-new-tokens",
        (model, rows, limits, scope) -> answer(model, rows.getFirst(), newTokens));
  }

  /** Training in batches of at most so many rows. */
  public static Work train(int batch) {
    return new Work(
        "train", true, "--batch", (model, rows, limits, scope) -> training(model, rows, batch, 0, scope));
  }

  /** Training again, in batches of at most so many rows, beside adapters: {@code unlearn} by exact and sisa. */
  public static Work again(String label, int batch, int adapters) {
    return new Work(
        label, true, null, (model, rows, limits, scope) -> training(model, rows, batch, adapters, scope));
  }

  /** {@code influence}: solves for the queries' gradients while their pass is kept, and multiplies with the rows'. */
  public static Work influence(Curvature kind, List<Sample> queries) {
    return onAdapter(
        "influence",
        (model, rows, limits, scope) -> {
          Tensor theta = model.adapter().theta();
          DatasetLoss loss = new DatasetLoss(model, rows, limits);
          MemoryBudget kept = MemoryBudget.automatic(model.backend());
          for (List<Sample> batch : largest(queries, limits)) {
            Tensor solved = vectors(model, batch.size(), scope);
            new DatasetLoss(model, batch, limits)
                .perSample(
                    theta,
                    (first, gradients) -> {
                      try (Scope solve = model.backend().openScope("solve");
                          CurvatureOperator c = kind.over(loss, theta, rows.size(), kept, 0)) {
                        Tensor vectors = vectors(model, SOLVER_VECTORS, solve);
                        c.apply(vectors.slice(0, 1), vectors.slice(1, 1));
                        loss.dots(theta, List.of(solved));
                      }
                    });
            scope.release(solved);
          }
        });
  }

  /** {@code unlearn --method influence}. */
  public static Work unlearn(Curvature kind) {
    return onAdapter(
        "unlearn",
        (model, rows, limits, scope) -> {
          MemoryBudget kept = MemoryBudget.automatic(model.backend());
          product(model, rows, limits, kind, kept, vectors(model, SOLVER_VECTORS, scope));
        });
  }

  /**
   * {@code unlearn --method averaged}: samples gradients at states of the training.
   *
   * @param draws of each row
   */
  public static Work averaged(int draws) {
    return onAdapter(
        "averaged",
        (model, rows, limits, scope) -> {
          Tensor theta = vectors(model, 1, scope).row(0);
          for (List<Sample> batch : largest(rows, limits)) {
            try (DrawnPass pass = new DrawnPass(model, batch, theta)) {
              pass.draw(draws, 0, null, sampled -> {});
            }
          }
        });
  }

  /** The methods of {@code unlearn} for comparison, on so many rows at a time. */
  public static Work published(int atATime) {
    return onAdapter(
        "published", (model, rows, limits, scope) -> published(model, rows, atMost(limits, atATime), scope));
  }

  /** {@code prepare}: fits operators of recorded replay, a visit at a time. */
  public static Work prepare(PreparationSize size) {
    return onAdapter(
        "prepare",
        (model, rows, limits, scope) ->
            largest(rows, atMost(limits, size.batch())).forEach(visited -> size.visit(model, visited)));
  }

  /**
   * {@code unlearn --method recorded}: the last of its replays.
   *
   * @param measured steps that are measured
   */
  public static Work recorded(PreparationSize size, int measured) {
    return onAdapter(
        "recorded",
        (model, rows, limits, scope) -> {
          try (EkfacBasis bases = size.operators(model, scope)) {
            vectors(model, OptimizerReplay.VECTORS + MeasuredReplay.VECTORS + measured, scope);
            gradients(model, rows, atMost(limits, size.batch()), scope);
          }
        });
  }

  /**
   * {@code assess} and {@code verify}: compares adapters on rows, lets them answer and attacks them.
   *
   * @param adapters how many there are
   * @param predicted tokens whose predictions are held at a time
   * @param newTokens of an answer; 0: none answers
   * @param attacked whether gradients of single rows are taken
   */
  public static Work assess(String label, int adapters, long predicted, int newTokens, boolean attacked) {
    return onAdapter(
        label,
        (model, rows, limits, scope) -> {
          vectors(model, adapters - 1, scope);
          BatchLimits held = new BatchLimits(limits.maxSamples(), Math.min(limits.maxTokens(), predicted));
          for (List<Sample> batch : largest(rows, held)) {
            try (Batch members = Batch.of(batch, model.backend())) {
              Gradients.probabilities(model.backend(), model.tape(members), model.adapter().theta());
            }
          }
          if (newTokens > 0) {
            answer(model, Collections.max(rows, Comparator.comparingLong(Sample::length)), newTokens);
          }
          if (attacked) {
            perSample(model, rows, limits);
          }
        });
  }

  /** {@code merge}: runs the new model beside the old one, which takes so many bytes. */
  public static Work merge(long old) {
    return new Work(
        "merge",
        true,
        null,
        (model, rows, limits, scope) -> {
          scope.allocate(DType.U8, old);
          new AdaptedModel(model.model(), null).logits(rows.getFirst().inputIds());
        });
  }

  /** Losses of a second model, merged, which takes so many bytes. */
  public static Work mergedBeside(long bytes) {
    return onAdapter(
        "merged",
        (model, rows, limits, scope) -> {
          scope.allocate(DType.U8, bytes);
          evaluate(new AdaptedModel(model.model(), null), rows, limits, scope);
        });
  }

  private static Work onAdapter(String label, Doing doing) {
    return new Work(label, true, BATCH_TOKENS, doing);
  }

  private static void evaluate(AdaptedModel model, List<Sample> rows, BatchLimits limits, Scope scope) {
    Tensor theta = model.adapter() == null ? vectors(model, 1, scope).row(0) : model.adapter().theta();
    largest(rows, limits).forEach(batch -> new DatasetLoss(model, batch, limits).losses(theta));
  }

  private static void gradients(AdaptedModel model, List<Sample> rows, BatchLimits limits, Scope scope) {
    Tensor g = vectors(model, 1, scope).row(0);
    for (List<Sample> batch : largest(rows, limits)) {
      new DatasetLoss(model, batch, limits).addGradient(model.adapter().theta(), 1, g);
    }
  }

  private static void perSample(AdaptedModel model, List<Sample> rows, BatchLimits limits) {
    for (List<Sample> batch : largest(rows, limits)) {
      new DatasetLoss(model, batch, limits).perSample(model.adapter().theta(), (first, g) -> {});
    }
  }

  private static void training(AdaptedModel model, List<Sample> rows, int batch, int adapters, Scope scope) {
    vectors(model, adapters, scope);
    Tensor gradient = vectors(model, TRAINING_VECTORS, scope).row(0);
    for (List<Sample> part : largest(rows, new BatchLimits(batch, TrainingPlan.TOKENS_PER_PASS))) {
      try (Batch members = Batch.of(part, model.backend())) {
        Gradients.addGradient(
            model.backend(), model.trainingTape(members, 0), model.adapter().theta(), 1, gradient);
      }
    }
  }

  private static void published(AdaptedModel model, List<Sample> rows, BatchLimits limits, Scope scope) {
    Backend backend = model.backend();
    Tensor theta = model.adapter().theta();
    Tensor g = vectors(model, DESCENT_VECTORS, scope).row(0);
    for (List<Sample> batch : largest(rows, limits)) {
      try (Batch members = Batch.of(batch, backend)) {
        try (Linearization at = new Linearization(backend, model.tape(members), theta)) {
          at.addWeightedGradient(
              scope.allocate(backend.vectorType(), 1, batch.size()), 1, g.reshape(1, g.elements()));
        }
        OtherLosses.addDivergenceGradient(backend, model.tape(members), theta, theta, 1, g);
      }
    }
  }

  private static void answer(AdaptedModel model, Sample prompt, int newTokens) {
    new Generator(model, model.model().spec().maxPositions())
        .generate(prompt.inputIds(), GenerationOptions.greedy(newTokens), token -> false);
  }

  private static void product(
      AdaptedModel model, List<Sample> rows, BatchLimits limits, Curvature kind, MemoryBudget kept, Tensor vectors) {
    DatasetLoss loss = new DatasetLoss(model, rows, limits);
    try (CurvatureOperator c = kind.over(loss, model.adapter().theta(), rows.size(), kept, 0)) {
      c.apply(vectors.slice(0, 1), vectors.slice(1, 1));
    }
  }

  /** The batch with the most tokens and the one with the longest row: no other takes more than both. */
  private static Set<List<Sample>> largest(List<Sample> rows, BatchLimits limits) {
    List<List<Sample>> batches = Batches.split(rows, limits.maxSamples(), limits.maxTokens());
    Set<List<Sample>> largest = new LinkedHashSet<>();
    largest.add(Collections.max(batches, Comparator.comparingLong(Batches::tokens)));
    largest.add(Collections.max(batches, Comparator.comparingLong(Work::longest)));
    return largest;
  }

  private static BatchLimits atMost(BatchLimits limits, int rows) {
    return new BatchLimits(Math.min(limits.maxSamples(), rows), limits.maxTokens());
  }

  private static long longest(List<Sample> batch) {
    return batch.stream().mapToLong(Sample::length).max().orElse(0);
  }

  private static Tensor vectors(AdaptedModel model, long count, Scope scope) {
    return scope.allocate(model.backend().vectorType(), count, Math.max(1, model.layout().size()));
  }
}
