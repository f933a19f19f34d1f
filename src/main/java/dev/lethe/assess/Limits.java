package dev.lethe.assess;

import dev.lethe.Text;
import java.util.ArrayList;
import java.util.List;

/** What an assessment cannot show, in plain words. */
final class Limits {
  private Limits() {}

  static List<String> of(Subjects subjects, boolean heldOut) {
    List<String> limits = new ArrayList<>();
    limits.add(
        "The yardstick is the retrained adapter that was given. Whether it was trained without the rows, and otherwise as"
            + " the original was, is not checked here.");
    limits.add(
        "Intervals show how the numbers would move with other rows of the same kind. They do not show how they would move"
            + " with other trainings.");
    if (subjects.noise().isEmpty()) {
      limits.add("Without further retrainings (--noise) it is not known how far two retrainings lie apart.");
    }
    if (!heldOut) {
      limits.add("Without held-out rows (--held-out) no attack was tried.");
    }
    if (subjects.runs().size() > 1) {
      limits.add(
          "Losses, memorisation, answers and attacks are of the first adapter of each kind; distances are means over all"
              + Text.format(" %d.", subjects.runs().size()));
    }
    limits.add("The base model is not part of it: what that learnt from other data is not forgotten and not looked for.");
    limits.add("Attacks that nobody knows yet may find more.");
    return limits;
  }
}
