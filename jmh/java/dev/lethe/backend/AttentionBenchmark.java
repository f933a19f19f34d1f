package dev.lethe.backend;

import dev.lethe.backend.kernel.AttentionKernels;
import dev.lethe.backend.kernel.operand.AttentionShape;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.jmh.Counters;
import dev.lethe.jmh.KernelBenchmark;
import dev.lethe.tensor.Tensor;
import org.openjdk.jmh.annotations.Benchmark;

/**
 * Claim: causal attention by tiles does only the causal half of its operations, and every derivative mode runs at
 * the rate of the forward or better. Counted are the products of visible tiles, not the exponentials.
 */
public class AttentionBenchmark extends KernelBenchmark {
  private static final int SEQUENCES = 4;
  private static final int T = 128;
  private static final int N = SEQUENCES * T;
  private static final int HEADS = 6;
  private static final int SIZE = 48;
  private static final int WIDTH = HEADS * SIZE;

  /** Multiply-adds of one T×T by headSize product below the diagonal, times two. */
  private static final double PRODUCT = 1.0 * SEQUENCES * HEADS * T * (T + 1) * SIZE;

  private final AttentionShape shape = new AttentionShape(HEADS, HEADS, SIZE, 0);
  private final Packing packing = Packing.ofLengths(T, T, T, T);
  private AttentionKernels.Primal primal;
  private AttentionKernels.Tangents tangent;
  private Tensor gO;
  private Tensor delta;
  private Tensor dgO;
  private Tensor outQ;
  private Tensor outK;
  private Tensor outV;

  @Override
  protected void prepare() {
    primal =
        new AttentionKernels.Primal(
            in(N, WIDTH), in(N, WIDTH), in(N, WIDTH), out(N, WIDTH), vectorOut(HEADS, N));
    tangent =
        new AttentionKernels.Tangents(
            in(1, N, WIDTH),
            in(1, N, WIDTH),
            in(1, N, WIDTH),
            out(1, N, WIDTH),
            vectorOut(1, HEADS, N));
    gO = in(1, N, WIDTH);
    dgO = in(1, N, WIDTH);
    delta = vectorOut(1, HEADS, N);
    outQ = out(1, N, WIDTH);
    outK = out(1, N, WIDTH);
    outV = out(1, N, WIDTH);
    runForward();
    runTangent();
    runBackward();
  }

  @Benchmark
  public void forward(Counters.Flops work) {
    runForward();
    work.flops += 2 * PRODUCT;
  }

  @Benchmark
  public void tangent(Counters.Flops work) {
    runTangent();
    work.flops += 5 * PRODUCT;
  }

  @Benchmark
  public void backward(Counters.Flops work) {
    runBackward();
    work.flops += 5 * PRODUCT;
  }

  @Benchmark
  public void backwardTangent(Counters.Flops work) {
    backend.run(
        new AttentionKernels.BackwardTangent(
            shape,
            packing,
            primal,
            gO.row(0),
            delta.row(0),
            tangent,
            dgO,
            new AttentionKernels.InputAdjoints(outQ, outK, outV)));
    work.flops += 12 * PRODUCT;
  }

  private void runForward() {
    backend.run(new AttentionKernels.Forward(shape, packing, packing, primal));
  }

  private void runTangent() {
    backend.run(new AttentionKernels.Tangent(shape, packing, primal, tangent));
  }

  private void runBackward() {
    backend.run(
        new AttentionKernels.Backward(
            shape,
            packing,
            primal,
            gO,
            delta,
            new AttentionKernels.InputAdjoints(outQ, outK, outV)));
  }
}
