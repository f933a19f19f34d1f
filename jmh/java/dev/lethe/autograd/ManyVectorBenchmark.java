package dev.lethe.autograd;

import dev.lethe.jmh.Counters;
import dev.lethe.jmh.ModelBenchmark;
import dev.lethe.jmh.ModelSize;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;

/** Claim: Hessian products with k vectors at once cost less than k products, each sharing the primal's work. */
public class ManyVectorBenchmark extends ModelBenchmark {
  /** k. */
  @Param({"1", "4", "16"})
  public int vectors;

  private Linearization kept;

  @Override
  protected ModelSize size() {
    return ModelSize.SMALL.withVectors(vectors);
  }

  @Override
  protected void prepare() {
    kept = new Linearization(model.backend(), model.tape(), model.theta());
  }

  @Override
  protected void release() {
    kept.close();
  }

  @Benchmark
  public void hessian(Counters.Tokens work) {
    kept.addHvp(model.v(), 1e-3, model.g());
    work.tokens += (double) vectors * model.size().samples() * model.size().tokens();
  }
}
