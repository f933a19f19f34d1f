package dev.lethe.train;

import dev.lethe.LetheException;
import java.util.Locale;

/**
 * How the learning rate moves, equal to transformers' {@code constant_with_warmup}, {@code linear}
 * and {@code cosine}: a linear rise from 0 over the warm-up steps, then constant, falling linearly
 * to 0, or falling to 0 along half a cosine.
 */
public enum Schedule {
  CONSTANT,
  LINEAR,
  COSINE;

  /** By name, as on the command line. */
  public static Schedule of(String name) {
    return switch (name) {
      case "constant" -> CONSTANT;
      case "linear" -> LINEAR;
      case "cosine" -> COSINE;
      default ->
          throw new LetheException(
              "schedule", "there is no schedule of this name", "constant, linear or cosine", name,
              "Choose one of them.");
    };
  }

  /** The name on the command line. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * The factor on the base learning rate.
   *
   * @param step from 0
   * @param warmup steps of the rise
   * @param total steps of the whole run
   */
  public double factor(long step, long warmup, long total) {
    if (step < warmup) {
      return (double) step / Math.max(1, warmup);
    }
    double rest = Math.max(1, total - warmup);
    return switch (this) {
      case CONSTANT -> 1;
      case LINEAR -> Math.max(0, (total - step) / rest);
      case COSINE -> Math.max(0, 0.5 * (1 + Math.cos(Math.PI * ((step - warmup) / rest))));
    };
  }
}
