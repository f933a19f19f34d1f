package dev.lethe.autograd;

import dev.lethe.jmh.ModelBenchmark;
import dev.lethe.tensor.Tensor;
import java.util.function.Consumer;
import org.openjdk.jmh.annotations.Benchmark;

/**
 * Claim: a Hessian product costs about two gradients from nothing, a Gauss-Newton product at least a fifth
 * less, and each about one where the linearization is kept.
 */
public class ProductBenchmark extends ModelBenchmark {
  private Tape tape;
  private Tensor v;
  private Tensor g;
  private Linearization kept;

  @Override
  protected void prepare() {
    tape = model.tape();
    v = model.v();
    g = model.g();
    kept = new Linearization(model.backend(), tape, model.theta());
  }

  @Override
  protected void release() {
    kept.close();
  }

  @Benchmark
  public void hessianFromNothing() {
    fromNothing(Adjoints.ALL, at -> at.addHvp(v, 1e-3, g));
  }

  @Benchmark
  public void hessianKept() {
    kept.addHvp(v, 1e-3, g);
  }

  @Benchmark
  public void gaussNewtonFromNothing() {
    fromNothing(Adjoints.NONE, at -> at.addGgn(v, 1e-3, g));
  }

  @Benchmark
  public void gaussNewtonKept() {
    kept.addGgn(v, 1e-3, g);
  }

  @Benchmark
  public double[][] tangentKept() {
    return kept.jvp(v);
  }

  private void fromNothing(Adjoints wanted, Consumer<Linearization> use) {
    try (Linearization at =
        new Linearization(model.backend(), tape, model.theta(), wanted)) {
      use.accept(at);
    }
  }
}
