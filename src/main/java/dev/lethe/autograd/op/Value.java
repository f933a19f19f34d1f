package dev.lethe.autograd.op;

/**
 * One matrix of a tape, by number. In the tangent and adjoint modes it stands for (k,rows,width).
 *
 * @param active whether it depends on adapter parameters; nothing else has a tangent or an adjoint
 */
public record Value(int id, long rows, long width, Kind kind, boolean active) {
  /** How a value is stored. */
  public enum Kind {
    /** (rows,width) in the backend's activation format. */
    ACTIVATION,
    /** (rows,width) in the backend's vector format: statistics and losses. */
    STATISTIC
  }
}
