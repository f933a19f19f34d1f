package dev.lethe.unlearn.certificate;

import dev.lethe.solve.TimeSplit;
import dev.lethe.unlearn.certificate.Certificate.Times;
import java.util.function.Supplier;

/** Adds up where the seconds of a run go. */
public final class Stopwatch {
  private static final double NANO = 1e-9;

  private final long begun = System.nanoTime();
  private double earlier;
  private double gradients;
  private double linearization;
  private double products;
  private double solver;
  private double evaluation;

  public <T> T gradients(Supplier<T> work) {
    long start = System.nanoTime();
    T result = work.get();
    gradients += (System.nanoTime() - start) * NANO;
    return result;
  }

  public <T> T linearization(Supplier<T> work) {
    long start = System.nanoTime();
    T result = work.get();
    linearization += (System.nanoTime() - start) * NANO;
    return result;
  }

  public <T> T products(Supplier<T> work) {
    long start = System.nanoTime();
    T result = work.get();
    products += (System.nanoTime() - start) * NANO;
    return result;
  }

  public <T> T evaluation(Supplier<T> work) {
    long start = System.nanoTime();
    T result = work.get();
    evaluation += (System.nanoTime() - start) * NANO;
    return result;
  }

  /** Adds a solve's own account. */
  public void add(TimeSplit solve) {
    products += solve.products();
    solver += solve.vectors() + solve.other();
  }

  /** Adds the seconds of sessions before an interruption. */
  public void add(double seconds) {
    earlier += seconds;
  }

  /** Seconds so far, earlier sessions included. */
  public double total() {
    return earlier + (System.nanoTime() - begun) * NANO;
  }

  public Times times() {
    return new Times(gradients, linearization, products, solver, evaluation, total());
  }
}
