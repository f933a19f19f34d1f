package dev.lethe.session;

import dev.lethe.autograd.Gradients;
import dev.lethe.backend.Backend;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.Curvature;
import dev.lethe.curvature.CurvatureOperator;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.curvature.MemoryBudget;
import dev.lethe.data.Batches;
import dev.lethe.data.Sample;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.nn.GenerationOptions;
import dev.lethe.nn.Generator;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.TrainingPlan;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/** What a command does with a model, as far as memory goes: the passes over its largest batches and its vectors. */
public enum Work {
  EVALUATE(false) {
    @Override
    void on(AdaptedModel model, List<Sample> rows, BatchLimits limits, Scope scope) {
      Tensor theta = model.adapter() == null ? null : model.adapter().theta();
      Tensor parameters = theta == null ? vector(model, 1, scope).row(0) : theta;
      largest(rows, limits).forEach(batch -> new DatasetLoss(model, batch, limits).losses(parameters));
    }
  },
  /** The first row as a prompt, and as many new tokens as the command makes by itself. */
  GENERATE(false) {
    @Override
    void on(AdaptedModel model, List<Sample> rows, BatchLimits limits, Scope scope) {
      new Generator(model, model.model().spec().maxPositions())
          .generate(rows.getFirst().inputIds(), GenerationOptions.greedy(NEW_TOKENS), token -> false);
    }
  },
  /** Passes of at most so many samples as the limits say. */
  TRAIN(true) {
    @Override
    void on(AdaptedModel model, List<Sample> rows, BatchLimits limits, Scope scope) {
      Tensor gradient = vector(model, 3, scope).row(0);
      BatchLimits pass = new BatchLimits(limits.maxSamples(), TrainingPlan.TOKENS_PER_PASS);
      for (List<Sample> part : largest(rows, pass)) {
        try (Batch members = Batch.of(part, model.backend())) {
          Gradients.addGradient(
              model.backend(), model.trainingTape(members, 0), model.adapter().theta(), 1, gradient);
        }
      }
    }
  },
  GRADIENTS(true) {
    @Override
    void on(AdaptedModel model, List<Sample> rows, BatchLimits limits, Scope scope) {
      Tensor g = vector(model, 1, scope).row(0);
      largest(rows, limits)
          .forEach(batch -> new DatasetLoss(model, batch, limits).addGradient(model.adapter().theta(), 1, g));
    }
  },
  /** With the host's copy of all of them, which is written at the end. */
  PER_SAMPLE(true) {
    @Override
    void on(AdaptedModel model, List<Sample> rows, BatchLimits limits, Scope scope) {
      vector(model, rows.size(), scope);
      for (List<Sample> batch : largest(rows, limits)) {
        new DatasetLoss(model, batch, limits).perSample(model.adapter().theta(), (first, g) -> {});
      }
    }
  },
  HVP(true) {
    @Override
    void on(AdaptedModel model, List<Sample> rows, BatchLimits limits, Scope scope) {
      Tensor vectors = vector(model, 3, scope);
      for (List<Sample> batch : largest(rows, limits)) {
        products(model, batch, limits, Curvature.HESSIAN, MemoryBudget.NONE, vectors);
      }
    }
  },
  INFLUENCE(true) {
    @Override
    void on(AdaptedModel model, List<Sample> rows, BatchLimits limits, Scope scope) {
      MemoryBudget kept = MemoryBudget.automatic(model.backend());
      products(model, rows, limits, Curvature.GGN, kept, vector(model, SOLVER_VECTORS, scope));
    }
  },
  UNLEARN(true) {
    @Override
    void on(AdaptedModel model, List<Sample> rows, BatchLimits limits, Scope scope) {
      MemoryBudget kept = MemoryBudget.automatic(model.backend());
      products(model, rows, limits, Curvature.HESSIAN, kept, vector(model, SOLVER_VECTORS, scope));
    }
  };

  /** Tokens that {@code generate} makes unless it is told otherwise. */
  public static final int NEW_TOKENS = 100;

  /** Vectors that a solver and the step hold. */
  private static final int SOLVER_VECTORS = 10;

  private final boolean needsAdapter;

  Work(boolean needsAdapter) {
    this.needsAdapter = needsAdapter;
  }

  /** Whether it is work on an adapter. */
  public boolean needsAdapter() {
    return needsAdapter;
  }

  /** As in the output of {@code inspect}. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Does it. */
  abstract void on(AdaptedModel model, List<Sample> rows, BatchLimits limits, Scope scope);

  /** The batch with the most tokens and the one with the longest row: no other takes more than both. */
  private static Set<List<Sample>> largest(List<Sample> rows, BatchLimits limits) {
    List<List<Sample>> batches = Batches.split(rows, limits.maxSamples(), limits.maxTokens());
    Set<List<Sample>> largest = new LinkedHashSet<>();
    largest.add(Collections.max(batches, Comparator.comparingLong(Work::tokens)));
    largest.add(Collections.max(batches, Comparator.comparingLong(Work::longest)));
    return largest;
  }

  private static long tokens(List<Sample> batch) {
    return batch.stream().mapToLong(Sample::length).sum();
  }

  private static long longest(List<Sample> batch) {
    return batch.stream().mapToLong(Sample::length).max().orElse(0);
  }

  private static Tensor vector(AdaptedModel model, long count, Scope scope) {
    return scope.allocate(model.backend().vectorType(), count, Math.max(1, model.layout().size()));
  }

  private static void products(
      AdaptedModel model, List<Sample> rows, BatchLimits limits, Curvature kind, MemoryBudget kept, Tensor vectors) {
    Backend backend = model.backend();
    DatasetLoss loss = new DatasetLoss(model, rows, limits);
    try (CurvatureOperator c = kind.over(loss, model.adapter().theta(), rows.size(), kept, 0);
        Scope scope = backend.openScope("product")) {
      c.apply(vectors.slice(0, 1), vectors.slice(1, 1));
    }
  }
}
