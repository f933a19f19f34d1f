package dev.lethe.backend.cpu.rows;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.gemm.Scratch.Slot;
import dev.lethe.backend.cpu.gemm.Scratch;
import dev.lethe.backend.cpu.primitive.RowPrimitives.Run;
import dev.lethe.backend.cpu.primitive.RowPrimitives;
import dev.lethe.backend.kernel.ReplayKernels;
import dev.lethe.backend.kernel.VectorKernels.AdamWNumbers;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;

/**
 * Steps of all runs, piece by piece of the parameters: a piece of every vector is read once and stays in the
 * nearest cache meanwhile.
 */
public final class CpuReplay implements ReplayKernels {
  private static final int PIECE = 2048;

  private final Cpu cpu;
  private final RowPrimitives rows;

  public CpuReplay(Cpu cpu) {
    this.cpu = cpu;
    this.rows = cpu.rows();
  }

  @Override
  public void adamW(StepAdamW call) {
    AdamWState recorded = call.recorded();
    AdamWState runs = call.runs();
    Step step = call.step();
    double rate = step.learningRate();
    AdamWNumbers first = call.options().numbers(rate, step.number());
    AdamWNumbers[] others = new AdamWNumbers[step.numbers().length];
    for (int j = 0; j < others.length; j++) {
      long number = step.numbers()[j];
      others[j] = number == 0 ? null : call.options().numbers(rate, number);
    }
    MemorySegment[] state = memories(recorded.theta(), recorded.m(), recorded.v());
    MemorySegment[] states = memories(runs.theta(), runs.m(), runs.v());
    pieces(
        step,
        call.difference(),
        state[0],
        states[0],
        (run, x, at, n) -> {
          MemorySegment[] of = run < 0 ? state : states;
          long bytes = 4L * n;
          rows.adamW(
              run < 0 ? first : others[run],
              of[0].asSlice(at, bytes),
              x,
              of[1].asSlice(at, bytes),
              of[2].asSlice(at, bytes),
              0,
              n);
        });
  }

  @Override
  public void sgd(StepSgd call) {
    SgdState recorded = call.recorded();
    SgdState runs = call.runs();
    Step step = call.step();
    MemorySegment[] state = memories(recorded.theta(), recorded.buffer());
    MemorySegment[] states = memories(runs.theta(), runs.buffer());
    float decay = (float) call.options().weightDecay();
    pieces(
        step,
        call.difference(),
        state[0],
        states[0],
        (run, x, at, n) -> {
          MemorySegment[] of = run < 0 ? state : states;
          if (call.options().weightDecay() != 0) {
            rows.axpby(decay, of[0], at, 1, x, 0, n);
          }
          rows.axpby(1, x, 0, (float) call.options().momentum(), of[1], at, n);
          rows.axpby((float) -step.learningRate(), of[1], at, 1, of[0], at, n);
        });
  }

  /** Takes a step of every run on every piece, and the differences after it. */
  private void pieces(
      Step step,
      Tensor difference,
      MemorySegment theta,
      MemorySegment thetas,
      Update update) {
    MemorySegment recorded = Cpu.memory(step.g());
    MemorySegment change = Cpu.memory(step.change());
    MemorySegment apart = Cpu.memory(difference);
    long width = step.g().dim(0);
    int k = step.clips().length;
    ranges(
        width,
        PIECE,
        k,
        (piece, first, n, scratch) -> {
          MemorySegment x = scratch.floats(Slot.GRADIENT, PIECE);
          MemorySegment copy = scratch.floats(Slot.STRIP, PIECE);
          Run g = cpu.rows().floats(step.g().dtype(), recorded, first, n, copy);
          rows.scale((float) step.clip(), g.segment(), g.offset(), x, 0, n);
          update.apply(-1, x, 4 * first, n);
          for (int j = 0; j < k; j++) {
            long at = 4 * (j * width + first);
            if (step.numbers()[j] > 0) {
              float clip = (float) step.clips()[j];
              cpu.records().changed(clip, g.segment(), g.offset(), change, at, x, 0, n);
              update.apply(j, x, at, n);
            }
            rows.copy(thetas, at, apart, at, n);
            rows.axpby(-1, theta, 4 * first, 1, apart, at, n);
          }
        });
  }

  @Override
  public void squaredNorms(SquaredNorms call) {
    Tensor g = call.g();
    double[] norms = call.norms();
    int k = norms.length - 1;
    long width = g.dim(0);
    MemorySegment recorded = Cpu.memory(g);
    MemorySegment changes = Cpu.memory(call.change());
    int count = Math.toIntExact(Math.ceilDiv(width, CpuVectors.RUN));
    double[][] sums = new double[norms.length][count];
    ranges(
        width,
        CpuVectors.RUN,
        k,
        (piece, first, n, scratch) -> {
          MemorySegment x = scratch.floats(Slot.GRADIENT, CpuVectors.RUN);
          MemorySegment copy = scratch.floats(Slot.STRIP, CpuVectors.RUN);
          Run run = cpu.rows().floats(g.dtype(), recorded, first, n, copy);
          MemorySegment from = run.segment();
          sums[0][piece] = rows.dotDouble(from, run.offset(), from, run.offset(), n);
          for (int j = 0; j < k; j++) {
            long at = 4 * (j * width + first);
            cpu.records().changed(1, from, run.offset(), changes, at, x, 0, n);
            sums[1 + j][piece] = rows.dotDouble(x, 0, x, 0, n);
          }
        });
    for (int j = 0; j < norms.length; j++) {
      norms[j] = 0;
      for (double sum : sums[j]) {
        norms[j] += sum;
      }
    }
  }

  private void ranges(long width, int size, int runs, Piece piece) {
    cpu.pool()
        .runRanges(
            Math.toIntExact(Math.ceilDiv(width, size)),
            Cpu.grain((1L + runs) * size),
            (from, to, scratch) -> {
              for (int i = from; i < to; i++) {
                long first = (long) i * size;
                piece.run(i, first, (int) Math.min(size, width - first), scratch);
              }
            });
  }

  private static MemorySegment[] memories(Tensor... tensors) {
    MemorySegment[] memories = new MemorySegment[tensors.length];
    for (int i = 0; i < tensors.length; i++) {
      memories[i] = Cpu.memory(tensors[i]);
    }
    return memories;
  }

  /** Piece number {@code piece}: n elements from {@code first} on. */
  @FunctionalInterface
  private interface Piece {
    void run(int piece, long first, int n, Scratch scratch);
  }

  /** A run's step, −1 for the recorded one, from its gradient x, on n elements at a byte offset. */
  @FunctionalInterface
  private interface Update {
    void apply(int run, MemorySegment x, long at, int n);
  }
}
