package dev.lethe.bench;

import dev.lethe.Text;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** What is timed: the operations that unlearning is made of, by the names of the PyTorch peer where it has them. */
public enum Operation {
  /** Losses only. */
  FORWARD("forward", "forward"),
  /** The gradient of the mean loss. */
  GRAD("grad", "backward"),
  /** A gradient for every sample. */
  PER_SAMPLE("per_sample", "batched"),
  /** A cold Hessian product. */
  HVP("hvp", "linearize_r_operator"),
  /** One more Hessian product at the same parameters. */
  HVP_AGAIN("hvp_again", "kept_linearization"),
  /** Hessian products of several vectors in one pass, at the same parameters. */
  HVP_BLOCK("hvp_block", "kept_linearization_%d_vectors"),
  /** A cold Gauss-Newton product. */
  GGN("ggn", "linearize_jvp_vjp"),
  /** One more Gauss-Newton product at the same parameters. */
  GGN_AGAIN("ggn_again", "kept_linearization"),
  /** Gauss-Newton products of several vectors in one pass, at the same parameters. */
  GGN_BLOCK("ggn_block", "kept_linearization_%d_vectors");

  private final String label;
  private final String way;

  Operation(String label, String way) {
    this.label = label;
    this.way = way;
  }

  /** The operation of a name. */
  public static Optional<Operation> byLabel(String label) {
    return Arrays.stream(values()).filter(op -> op.label.equals(label)).findFirst();
  }

  /** All names. */
  public static List<String> labels() {
    return Arrays.stream(values()).map(Operation::label).toList();
  }

  /** The name. */
  public String label() {
    return label;
  }

  /** How it is done, in a word. */
  public String way(int vectors) {
    return Text.format(way, vectors);
  }

  /** Whether it works on several vectors. */
  public boolean block() {
    return this == HVP_BLOCK || this == GGN_BLOCK;
  }
}
