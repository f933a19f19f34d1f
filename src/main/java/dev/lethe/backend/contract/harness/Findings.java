package dev.lethe.backend.contract.harness;

/** What came of a case: how far its results are from the reference's, and what else was noticed. */
public final class Findings {
  private double error;
  private double allowed;
  private boolean repeatable = true;
  private boolean inBounds = true;
  private long leakedBytes;
  private AssertionError failure;

  /** The largest difference from the reference, by norm, relative to the result's size. */
  public double error() {
    return error;
  }

  /** What the number format allows. */
  public double allowed() {
    return allowed;
  }

  /** Whether the call, made twice, gave the same bytes. */
  public boolean repeatable() {
    return repeatable;
  }

  /** Whether guard zones and inputs are as they were. */
  public boolean inBounds() {
    return inBounds;
  }

  /** Device memory that a second call did not give back. */
  public long leakedBytes() {
    return leakedBytes;
  }

  /** Why the case failed; null where it passed. */
  public AssertionError failure() {
    return failure;
  }

  /** Notes the error of one result; one that is not a number is the largest. */
  void compared(double difference, double bound) {
    double value = Double.isNaN(difference) ? Double.POSITIVE_INFINITY : difference;
    error = Math.max(error, value);
    allowed = Math.max(allowed, bound);
  }

  void otherBytes() {
    repeatable = false;
  }

  void outOfBounds() {
    inBounds = false;
  }

  void leaked(long bytes) {
    leakedBytes += bytes;
  }

  void fail(AssertionError why) {
    failure = why;
  }
}
