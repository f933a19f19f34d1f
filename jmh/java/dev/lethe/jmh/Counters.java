package dev.lethe.jmh;

import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;

/** What a benchmark's operations amount to; JMH reports each a second, the table as G/s or K/s. */
public final class Counters {
  private Counters() {}

  /** Floating-point operations; a fused multiply-add is two. */
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  public static class Flops {
    public double flops;
  }

  /** Bytes that must be read and written at least. */
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  public static class Bytes {
    public double bytes;
  }

  /** Tokens, counted once for each vector. */
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  public static class Tokens {
    public double tokens;
  }
}
