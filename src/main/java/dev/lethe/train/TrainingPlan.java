package dev.lethe.train;

import dev.lethe.LetheException;
import dev.lethe.data.Batches;
import dev.lethe.data.Sample;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/**
 * The optimiser steps of a training: which rows each one reads, in which parts, with which weights and
 * learning rate. A plan belongs to the rows of the original training; {@link RowEdits} change what lies in
 * their slots, never the plan. Steps are made when they are asked for.
 */
public final class TrainingPlan {
  public static final long TOKENS_PER_PASS = 8192;

  /** The most steps that are all looked at for the largest pass. */
  private static final long LOOKED_THROUGH = 10_000;

  private final List<Sample> rows;
  private final long steps;
  private final Source source;

  private TrainingPlan(List<Sample> rows, long steps, Source source) {
    this.rows = Collections.unmodifiableList(new ArrayList<>(rows));
    this.steps = steps;
    this.source = source;
    if (rows.isEmpty()) {
      throw new LetheException(
          "training data", "there are no samples", "at least one", "none", "Pass some data.");
    }
  }

  /** The plan of a new training: step k takes the next slots of the epoch's order. */
  public static TrainingPlan of(List<Sample> rows, TrainOptions options) {
    List<Sample> copy = List.copyOf(rows);
    return new TrainingPlan(copy, options.totalSteps(copy.size()), new Epochs(copy, options));
  }

  /**
   * The plan of a training that was done before.
   *
   * @param rows by their places; null for a row that was removed since, whose weight is 0 in every step
   */
  public static TrainingPlan of(List<Sample> rows, List<Step> steps) {
    List<Step> copy = List.copyOf(steps);
    return new TrainingPlan(rows, copy.size(), k -> copy.get(Math.toIntExact(k)));
  }

  /** The rows that steps name by their places; null for a row that was removed before. */
  public List<Sample> rows() {
    return rows;
  }

  /** Number of optimiser steps, K. */
  public long steps() {
    return steps;
  }

  /** Step k, from 0. */
  public Step step(long k) {
    return source.step(k);
  }

  /**
   * The rows of the pass with the most tokens; in a training of many steps those of a pass that may come in one of them.
   *
   * @param batchSize the most slots in a pass
   */
  public List<Sample> largestPass(int batchSize) {
    Stream<List<Sample>> passes =
        steps <= LOOKED_THROUGH
            ? LongStream.range(0, steps).boxed().flatMap(k -> step(k).slices().stream()).map(this::rowsOf)
            : Batches.split(longestFirst(), batchSize, TOKENS_PER_PASS).stream();
    return passes.max(Comparator.comparingLong(Batches::tokens)).orElse(List.of());
  }

  private List<Sample> longestFirst() {
    return rows.stream().sorted(Comparator.comparingInt(Sample::length).reversed()).toList();
  }

  private List<Sample> rowsOf(Slice slice) {
    return Arrays.stream(slice.rows()).mapToObj(rows::get).toList();
  }

  /** Gradients of single rows that the training takes with the edits. */
  public long sampleGradients(RowEdits edits) {
    long sum = 0;
    for (long k = 0; k < steps; k++) {
      for (int place : step(k).rows()) {
        sum += edits.apply(rows.get(place)) != null ? 1 : 0;
      }
    }
    return sum;
  }

  /**
   * The ends of the parts into which the slots of a step are cut, a forward pass each, counted in slots.
   *
   * @param members the rows in the slots
   * @param batchSize the most slots in a part
   */
  public static int[] partEnds(List<Sample> members, int batchSize) {
    List<List<Sample>> parts = Batches.split(members, batchSize, TOKENS_PER_PASS);
    int[] ends = new int[parts.size()];
    for (int i = 0; i < ends.length; i++) {
      ends[i] = (i == 0 ? 0 : ends[i - 1]) + parts.get(i).size();
    }
    return ends;
  }

  /**
   * One optimiser step: the gradient is Σᵢ weights[i]·∇ℓ(rows[i]).
   *
   * @param rate learning rate
   * @param epoch passes over the data after this step, a fraction
   * @param rows places of the rows in the step's slots
   * @param weights of every slot: as {@link LossMean} says in a training by Lethe; 0 where the row was removed
   * @param partEnds where the slots are cut into forward passes, the last end included
   */
  public record Step(
      double rate, double epoch, int[] rows, double[] weights, int[] partEnds) {
    /** The same step with other weights. */
    Step withWeights(double[] others) {
      return new Step(rate, epoch, rows, others, partEnds);
    }

    /** What runs forward together: the rows of each part that have a weight. */
    List<Slice> slices() {
      List<Slice> slices = new ArrayList<>();
      for (int part = 0; part < partEnds.length; part++) {
        int[] slots =
            IntStream.range(part == 0 ? 0 : partEnds[part - 1], partEnds[part]).filter(i -> weights[i] != 0).toArray();
        if (slots.length > 0) {
          double[] of = Arrays.stream(slots).mapToDouble(i -> weights[i]).toArray();
          slices.add(new Slice(part, of, Arrays.stream(slots).map(i -> rows[i]).toArray()));
        }
      }
      return slices;
    }
  }

  /**
   * Rows of a step that run forward together.
   *
   * @param part number of the part of the step that they belong to, from 0
   * @param weights of each of them in the gradient
   * @param rows their places
   */
  record Slice(int part, double[] weights, int[] rows) {
    /** Whether all rows weigh the same. */
    boolean isEven() {
      return Arrays.stream(weights).allMatch(weight -> weight == weights[0]);
    }
  }

  private interface Source {
    Step step(long k);
  }

  /** Slots from a new order every epoch. */
  private static final class Epochs implements Source {
    private final List<Sample> rows;
    private final TrainOptions options;
    private final SampleOrder order;
    private final long stepsPerEpoch;
    private final long total;
    private long epoch = -1;
    private int[] places;

    Epochs(List<Sample> rows, TrainOptions options) {
      this.rows = rows;
      this.options = options;
      this.order = new SampleOrder(rows, options.seed(), options.shuffle());
      this.stepsPerEpoch = options.stepsPerEpoch(rows.size());
      this.total = options.totalSteps(rows.size());
    }

    @Override
    public Step step(long k) {
      if (k / stepsPerEpoch != epoch) {
        epoch = k / stepsPerEpoch;
        places = order.places(epoch);
      }
      long first = k % stepsPerEpoch * options.samplesPerStep();
      long end = Math.min(rows.size(), first + options.samplesPerStep());
      int[] slots = Arrays.copyOfRange(places, (int) first, (int) end);
      List<Sample> members = Arrays.stream(slots).mapToObj(rows::get).toList();
      double rate =
          options.learningRate() * options.schedule().factor(k, options.warmupSteps(), total);
      double epochs = (double) (k + 1) / stepsPerEpoch;
      double[] weights = options.lossMean().weights(members);
      return new Step(rate, epochs, slots, weights, partEnds(members, options.batchSize()));
    }
  }
}
