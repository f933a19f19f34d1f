package dev.lethe.unlearn;

import dev.lethe.LetheException;
import dev.lethe.nn.ParameterLayout;
import dev.lethe.train.MinimumRecord;
import dev.lethe.train.OptimizerKind;
import dev.lethe.train.TrainingRecord;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Chooses λ and the weight decay wd of (C + (λ + wd)I)Δ = b by what is known of an adapter's training. No other place
 * chooses them:
 *
 * <ul>
 *   <li>wd is the number that was given; otherwise the W of an adapter that {@code train --to-minimum} made; otherwise
 *       the weight decay of a training by SGD; otherwise 0, since the decay of AdamW is no such term;
 *   <li>λ is the number that was given; otherwise a fifth of wd for an adapter of {@code --to-minimum}; otherwise what
 *       the training record says, {@link TrainingRecord#autoDamping} or, where AdamW's vectors lie beside it, their
 *       mean weighted by the request; otherwise {@value Eraser#DEFAULT_DAMPING}.
 * </ul>
 */
public final class DampingRule {
  /** For an adapter of whose training nothing is known. */
  public static final DampingRule UNKNOWN =
      new DampingRule(null, Optional.empty(), Optional.empty());

  /** Who chose a damping that waits for the request's right-hand side. */
  static final String BY_REQUEST = "auto, from the training record and the request";

  private static final String BY_RECORD = "auto, from the training record";

  /** Of the weight decay, where an adapter lies at a minimum that has its own. */
  private static final double AT_MINIMUM = 0.2;

  private final Path adapterDir;
  private final Optional<TrainingRecord> record;
  private final Optional<Double> minimum;

  private DampingRule(
      Path adapterDir, Optional<TrainingRecord> record, Optional<Double> minimum) {
    this.adapterDir = adapterDir;
    this.record = record;
    this.minimum = minimum;
  }

  /** For the adapter of a folder, by what its training left there. */
  public static DampingRule forAdapter(Path adapterDir) {
    return new DampingRule(
        adapterDir, TrainingRecord.read(adapterDir), MinimumRecord.l2(adapterDir));
  }

  /** For an adapter in memory; AdamW's vectors are not at hand. */
  public static DampingRule of(TrainingRecord record) {
    return new DampingRule(null, Optional.of(record), Optional.empty());
  }

  /**
   * What is added to the curvature.
   *
   * @param damping λ
   * @param from who chose it, in words
   * @param weightDecay wd
   */
  public record Chosen(double damping, String from, double weightDecay) {}

  /** The same, refused for an adapter that was not trained on the mean over rows, which influence works on. */
  public DampingRule forInfluence() {
    record.ifPresent(trained -> trained.options().requireMeanOverRows("influence"));
    return this;
  }

  /**
   * The choice.
   *
   * @param damping a number that somebody gave; null for none
   * @param weightDecay likewise
   */
  public Chosen choose(Double damping, Double weightDecay) {
    double decay = weightDecay(weightDecay);
    if (damping != null) {
      return new Chosen(damping, "given", decay);
    }
    if (minimum.isPresent()) {
      return new Chosen(AT_MINIMUM * decay, "a part of the weight decay, at a minimum", decay);
    }
    return record.isPresent() ? automatic(weightDecay) : new Chosen(Eraser.DEFAULT_DAMPING, "default", decay);
  }

  /**
   * The choice where λ must come from the training record, also at a minimum.
   *
   * @param weightDecay a number that somebody gave; null for none
   * @throws LetheException where there is no record
   */
  public Chosen automatic(Double weightDecay) {
    TrainingRecord trained =
        record.orElseThrow(
            () ->
                new LetheException(
                    "--damping auto",
                    "the adapter has no training record",
                    (adapterDir == null ? TrainingRecord.FILE : adapterDir.resolve(TrainingRecord.FILE))
                        + ", which lethe train writes",
                    "no such file",
                    "Pass a number, such as --damping 1."));
    return new Chosen(trained.autoDamping(), BY_RECORD, weightDecay(weightDecay));
  }

  private double weightDecay(Double given) {
    if (given != null) {
      return given;
    }
    return minimum.orElseGet(
        () ->
            record
                .filter(r -> r.optimizer() == OptimizerKind.SGD)
                .map(TrainingRecord::weightDecay)
                .orElse(0.0));
  }

  /** The record of the adapter's training; null where there is none. */
  TrainingRecord record() {
    return record.orElse(null);
  }

  /** What refines a choice by the request; null where the choice stands as it is. */
  RequestDamping byRequest(Chosen chosen, ParameterLayout layout) {
    return chosen.from.equals(BY_RECORD) && adapterDir != null
        ? RequestDamping.read(adapterDir, record.orElseThrow(), layout)
        : null;
  }
}
