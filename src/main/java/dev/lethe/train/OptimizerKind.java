package dev.lethe.train;

import dev.lethe.LetheException;
import java.util.Locale;

/** Which optimiser. */
public enum OptimizerKind {
  /** Adam with decoupled weight decay, {@link AdamW}. */
  ADAMW,
  /** Stochastic gradient descent with momentum and L2 weight decay, {@link Sgd}. */
  SGD;

  /** By name, as on the command line. */
  public static OptimizerKind of(String name) {
    return switch (name) {
      case "adamw" -> ADAMW;
      case "sgd" -> SGD;
      default ->
          throw new LetheException(
              "optimizer", "there is no optimiser of this name", "adamw or sgd", name,
              "Choose one of them.");
    };
  }

  /** The name on the command line. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
