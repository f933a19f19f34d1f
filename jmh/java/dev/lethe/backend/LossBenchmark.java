package dev.lethe.backend;

import dev.lethe.backend.kernel.LossKernels;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.jmh.Counters;
import dev.lethe.jmh.KernelBenchmark;
import dev.lethe.tensor.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/**
 * Claim: vocabulary head and cross-entropy run at the rate of plain products in each of their modes, though logits
 * exist in blocks of rows only. The backward comes with the forward.
 */
public class LossBenchmark extends KernelBenchmark {
  private static final int M = 256;
  private static final int D = 288;
  private static final int VOCABULARY = 4096;
  private static final double PRODUCT = 2.0 * M * D * VOCABULARY;

  private FrozenLinear head;
  private Tensor x;
  private Tensor targets;
  private Tensor weights;
  private Tensor rowLoss;
  private Tensor p;
  private Tensor gx;
  private Tensor dx;
  private Tensor dLoss;

  @Override
  protected void prepare() {
    head = frozen(VOCABULARY, D);
    x = in(M, D);
    targets = randomIndices(M, VOCABULARY);
    weights = vector(M);
    rowLoss = vectorOut(M);
    p = out(M, VOCABULARY);
    gx = out(1, M, D);
    dx = in(1, M, D);
    dLoss = vectorOut(1, M);
    backend.run(new LossKernels.Forward(head, x, targets, weights, rowLoss, p, gx.row(0)));
  }

  @Benchmark
  public void forward(Counters.Flops work) {
    backend.run(new LossKernels.Forward(head, x, targets, null, rowLoss, null, null));
    work.flops += PRODUCT;
  }

  @Benchmark
  public void forwardAndBackward(Counters.Flops work) {
    backend.run(new LossKernels.Forward(head, x, targets, weights, rowLoss, null, gx.row(0)));
    work.flops += 2 * PRODUCT;
  }

  @Benchmark
  public void tangent(Counters.Flops work) {
    backend.run(new LossKernels.Tangent(head, p, targets, dx, dLoss));
    work.flops += PRODUCT;
  }

  @Benchmark
  public void backwardTangent(Counters.Flops work) {
    backend.run(new LossKernels.BackwardTangent(head, p, weights, dx, gx));
    work.flops += 2 * PRODUCT;
  }
}
