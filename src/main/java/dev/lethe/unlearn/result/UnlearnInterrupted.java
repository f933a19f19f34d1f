package dev.lethe.unlearn.result;

import dev.lethe.LetheException;
import java.nio.file.Path;

/** A run that was asked to stop; {@link #state} says where it can go on from. */
public final class UnlearnInterrupted extends LetheException {
  private static final long serialVersionUID = 1;

  private final transient Path state;

  public UnlearnInterrupted(Path state) {
    super(
        "unlearning",
        "interrupted before the new adapter was made",
        null,
        null,
        state == null
            ? "No folder for its state was named, so it starts anew."
            : "Its state is in " + state + "; run the same command with --resume.");
    this.state = state;
  }

  /** The folder of the state; null where none was kept. */
  public Path state() {
    return state;
  }
}
