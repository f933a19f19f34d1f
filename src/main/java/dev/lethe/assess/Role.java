package dev.lethe.assess;

import java.util.Locale;

/** What an adapter is in an assessment. */
public enum Role {
  /** Trained on everything. */
  ORIGINAL,
  /** What unlearning made of it. */
  UNLEARNED,
  /** Trained again without the rows, or with their new versions. */
  RETRAINED,
  /** Another retraining, of another order or initialisation. */
  NOISE,
  /** The base model without an adapter. */
  BASE;

  /** In words. */
  public String label() {
    return name().toLowerCase(Locale.ROOT);
  }
}
