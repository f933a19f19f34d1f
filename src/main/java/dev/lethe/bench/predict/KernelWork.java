package dev.lethe.bench.predict;

import static dev.lethe.bench.predict.H200.CLOCK;
import static dev.lethe.bench.predict.H200.GAP;
import static dev.lethe.bench.predict.H200.MEMORY;
import static dev.lethe.bench.predict.H200.MULTIPROCESSORS;
import static dev.lethe.bench.predict.H200.RAMP;
import static dev.lethe.bench.predict.H200.SCHEDULERS;
import static dev.lethe.bench.predict.H200.SHARED_MEMORY;

/**
 * What a kernel asks of the GPU in one launch, and how often it is launched.
 *
 * @param name of the kernel or the product
 * @param memory seconds that its bytes take
 * @param tensor seconds that its matrix operations take
 * @param issue seconds that its instructions take
 * @param shared seconds that its reads and writes of shared memory take
 */
public record KernelWork(
    String name, double launches, double bytes, double memory, double tensor, double issue, double shared) {

  /** What a kernel waits for. */
  public enum Bound {
    MEMORY,
    TENSOR,
    ISSUE,
    SHARED,
    LAUNCH
  }

  /** A kernel that only moves bytes, at a share of the memory's rate. */
  static KernelWork stream(String name, double launches, double bytes, H200 share) {
    return new KernelWork(name, launches, bytes, bytes / (MEMORY.value() * share.value()), 0, 0, 0);
  }

  /**
   * A kernel of warps that share multiprocessors.
   *
   * @param instructions that all warps issue
   * @param sharedBytes that all warps read from shared memory
   * @param share of the issue slots, and of shared memory, that they can use
   */
  static KernelWork warps(
      String name,
      double launches,
      double bytes,
      double instructions,
      double tensorSeconds,
      double sharedBytes,
      H200 share) {
    double clocks = MULTIPROCESSORS.value() * CLOCK.value() * share.value();
    return new KernelWork(
        name,
        launches,
        bytes,
        bytes / (MEMORY.value() * H200.STREAM_SHARE.value()),
        tensorSeconds,
        instructions / (clocks * SCHEDULERS.value()),
        sharedBytes / (clocks * SHARED_MEMORY.value()));
  }

  /** The same kernel, launched so often as often. */
  KernelWork times(double factor) {
    return new KernelWork(name, launches * factor, bytes, memory, tensor, issue, shared);
  }

  /** The same kernel with its bytes at a share of the memory's rate. */
  KernelWork atShare(H200 share) {
    return new KernelWork(name, launches, bytes, bytes / (MEMORY.value() * share.value()), tensor, issue, shared);
  }

  /** The same kernel with other bytes a launch. */
  KernelWork withBytes(double other) {
    return new KernelWork(name, launches, other, memory * other / bytes, tensor, issue, shared);
  }

  /** Seconds of all launches. */
  public double seconds() {
    return launches * (busy() + RAMP.value() + GAP.value());
  }

  /** What most of a launch's time goes to. */
  public Bound bound() {
    double most = busy();
    if (most < RAMP.value() + GAP.value()) {
      return Bound.LAUNCH;
    }
    return most == memory ? Bound.MEMORY : most == tensor ? Bound.TENSOR : most == issue ? Bound.ISSUE : Bound.SHARED;
  }

  private double busy() {
    return Math.max(Math.max(memory, tensor), Math.max(issue, shared));
  }
}
