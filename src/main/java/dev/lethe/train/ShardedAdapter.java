package dev.lethe.train;

import dev.lethe.Lifetime;
import dev.lethe.data.Sample;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.MeanAdapter;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * SISA training (Bourtoule et al., arXiv 1912.03817) of adapters, one slice a shard: each shard trains an adapter on its
 * rows, as a training on these rows alone does, and the model is the mean of what they do to the weights ({@link
 * MeanAdapter}). To forget rows exactly, only their shards are trained again. A shard without rows keeps the adapter
 * that a training starts with, which changes nothing.
 */
public final class ShardedAdapter implements AutoCloseable {
  private final RowShards shards;
  private final TrainOptions options;
  private final List<LoraAdapter> parts;
  private final List<List<Sample>> rows;
  private final Lifetime lifetime = new Lifetime("sharded adapter");

  private ShardedAdapter(
      RowShards shards, TrainOptions options, List<LoraAdapter> parts, List<List<Sample>> rows) {
    this.shards = shards;
    this.options = options;
    this.parts = List.copyOf(parts);
    this.rows = rows.stream().map(List::copyOf).toList();
  }

  /** Shards that nothing was trained on, for {@link #trained}. */
  public static ShardedAdapter create(
      PeftAdapterConfig config, LanguageModel model, RowShards shards, TrainOptions options) {
    List<LoraAdapter> parts = new ArrayList<>();
    for (int i = 0; i < shards.count(); i++) {
      parts.add(LoraAdapter.create(config, model, options.seed()));
    }
    return new ShardedAdapter(shards, options, parts, shards.split(List.of()));
  }

  /**
   * Shards that were trained before.
   *
   * @param folders of their adapters, in order
   * @param all the rows that they were trained on
   */
  static ShardedAdapter open(
      List<PeftFolder> folders, LanguageModel model, RowShards shards, TrainOptions options, List<Sample> all) {
    List<LoraAdapter> parts = folders.stream().map(folder -> LoraAdapter.open(folder, model)).toList();
    return new ShardedAdapter(shards, options, parts, shards.split(all));
  }

  /** How rows are dealt. */
  public RowShards shards() {
    return shards;
  }

  /** How each shard is trained. */
  public TrainOptions options() {
    return options;
  }

  /** The shards' adapters, owned by this. */
  public List<LoraAdapter> parts() {
    lifetime.requireOpen();
    return parts;
  }

  /** The rows of each shard. */
  public List<List<Sample>> rows() {
    return rows;
  }

  /** The shards of some rows. */
  public Set<Integer> of(List<String> ids) {
    return ids.stream().map(shards::of).collect(Collectors.toCollection(TreeSet::new));
  }

  /** All shards. */
  public Set<Integer> all() {
    return IntStream.range(0, shards.count()).boxed().collect(Collectors.toSet());
  }

  /** Gradients of single rows that training some shards takes. */
  public long sampleGradients(Set<Integer> which, List<Sample> target) {
    List<List<Sample>> dealt = shards.split(target);
    return which.stream().mapToLong(i -> sampleGradients(dealt.get(i))).sum();
  }

  private long sampleGradients(List<Sample> some) {
    return some.isEmpty() ? 0 : TrainingPlan.of(some, options).sampleGradients(RowEdits.NONE);
  }

  /** Optimiser steps that training some shards takes. */
  public long steps(Set<Integer> which, List<Sample> target) {
    List<List<Sample>> dealt = shards.split(target);
    return which.stream().map(dealt::get).filter(some -> !some.isEmpty())
        .mapToLong(some -> options.totalSteps(some.size())).sum();
  }

  /**
   * The same with some shards trained anew from their start; the others are copied. This is not changed.
   *
   * @param which the shards that differ in their rows
   * @param target all rows as they should be
   * @param model any adapted model of the same base
   * @return null where the monitor stopped it
   */
  public ShardedAdapter trained(Set<Integer> which, List<Sample> target, AdaptedModel model, TrainMonitor monitor) {
    lifetime.requireOpen();
    List<List<Sample>> dealt = shards.split(target);
    List<LoraAdapter> next = new ArrayList<>();
    boolean done = false;
    try {
      for (int i = 0; i < shards.count(); i++) {
        LoraAdapter part = parts.get(i);
        next.add(which.contains(i) ? LoraAdapter.create(part.config(), part.model(), options.seed()) : part.copy());
        if (which.contains(i) && !dealt.get(i).isEmpty()) {
          Trainer trainer = new Trainer(model.with(next.getLast()), dealt.get(i), options, monitor);
          if (!trainer.run(null, false).completed()) {
            return null;
          }
        }
      }
      done = true;
      return new ShardedAdapter(shards, options, next, dealt);
    } finally {
      if (!done) {
        next.forEach(LoraAdapter::close);
      }
    }
  }

  /** What they do together, as one adapter; the caller closes it. */
  public LoraAdapter mean() {
    lifetime.requireOpen();
    return MeanAdapter.of(parts);
  }

  @Override
  public void close() {
    lifetime.end();
    parts.forEach(LoraAdapter::close);
  }
}
