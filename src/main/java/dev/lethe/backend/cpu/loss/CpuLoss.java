package dev.lethe.backend.cpu.loss;

import dev.lethe.backend.cpu.gemm.Cpu;
import dev.lethe.backend.cpu.gemm.Gemm;
import dev.lethe.backend.cpu.gemm.Matrix;
import dev.lethe.backend.cpu.gemm.PackedLinear;
import dev.lethe.backend.cpu.gemm.Panels;
import dev.lethe.backend.cpu.gemm.Scratch.Slot;
import dev.lethe.backend.cpu.gemm.WorkerPool;
import dev.lethe.backend.cpu.primitive.RowPrimitives;
import dev.lethe.backend.kernel.KernelCall;
import dev.lethe.backend.kernel.LossKernels;
import dev.lethe.backend.kernel.Require;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Vocabulary head and cross-entropy. Each thread takes a block of rows through both products, where
 * it can slice by slice of the vocabulary, so that each pass finds logits in the second-level cache.
 * The block is as tall as keeps the stream of weights below what memory delivers, and no taller.
 */
public final class CpuLoss implements LossKernels {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

  /** Rows of a block that works on a slice of the logits at a time. */
  private static final int TALL_BLOCK = 264;

  private final Cpu cpu;
  private final RowPrimitives rows;
  private final Gemm gemm;

  public CpuLoss(Cpu cpu) {
    this.cpu = cpu;
    this.rows = cpu.rows();
    this.gemm = cpu.gemm();
  }

  @Override
  public void logits(Logits call) {
    PackedLinear w = PackedLinear.of(call.head());
    gemm.run(
        Math.toIntExact(call.x().dim(0)),
        Matrix.rows(Cpu.memory(call.z()), w.out()),
        w.start(gemm),
        new Gemm.Term(Matrix.rows(Cpu.memory(call.x()), w.in()), w.forward().panels()));
  }

  @Override
  public void forward(Forward call) {
    PackedLinear w = PackedLinear.of(call.head());
    long m = call.x().dim(0);
    MemorySegment target = targets(call, call.targets(), w.out());
    LossForward mode =
        new LossForward(
            cpu,
            w.forward().panels(),
            call.gx() == null ? null : w.backward().panels(),
            w.start(gemm),
            Matrix.rows(Cpu.memory(call.x()), w.in()),
            target,
            call.gx() == null ? null : Cpu.memory(call.weights()),
            Cpu.memory(call.rowLoss()),
            call.p() == null ? null : Cpu.memory(call.p()),
            call.gx() == null ? null : Cpu.memory(call.gx()));
    blocks(w, m, TALL_BLOCK, mode::run);
  }

  @Override
  public void tangent(Tangent call) {
    PackedLinear w = PackedLinear.of(call.head());
    long k = call.dx().dim(0);
    long m = call.dx().dim(1);
    MemorySegment target = targets(call, call.targets(), w.out());
    MemorySegment probabilities = Cpu.memory(call.p());
    MemorySegment out = Cpu.memory(call.dLoss());
    long v = w.out();
    Panels forward = w.forward().panels();
    Matrix in = Matrix.rows(Cpu.memory(call.dx()), w.in());
    VocabularySlice[] slices = VocabularySlice.of((int) v);
    blocks(
        w,
        k * m,
        TALL_BLOCK,
        (row, end, scratch) -> {
          rows.fill(out, 4L * row, end - row, 0);
          for (VocabularySlice slice : slices) {
            Matrix dz = slice.inScratch(scratch, Slot.LOGITS, end - row);
            gemm.block(
                scratch, 0, end - row, slice.panel(), slice.panelEnd(), dz, gemm.zero(),
                new Gemm.Term(in.fromRow(row), forward));
            for (int i = row; i < end; i++) {
              long primal = i % m;
              float change =
                  rows.dot(
                      probabilities, 4 * (primal * v + slice.first()), dz.segment(),
                      dz.at(i - row, slice.first()), slice.size());
              int label = target.get(INT, 4 * primal);
              if (slice.contains(label)) {
                change -= dz.segment().get(FLOAT, dz.at(i - row, label));
              }
              out.set(FLOAT, 4L * i, out.get(FLOAT, 4L * i) + change);
            }
          }
        });
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    PackedLinear w = PackedLinear.of(call.head());
    long k = call.dx().dim(0);
    long m = call.dx().dim(1);
    Panels back = w.backward().panels();
    new HeadBlock(
            cpu,
            w.forward().panels(),
            back,
            Cpu.memory(call.p()),
            Cpu.memory(call.weights()),
            m,
            Cpu.memory(call.dx()),
            Cpu.memory(call.dgx()))
        .run(k);
  }

  @Override
  public void drawn(Drawn call) {
    PackedLinear w = PackedLinear.of(call.head());
    int q = Math.toIntExact(call.out().dim(0));
    int m = Math.toIntExact(call.out().dim(1));
    MemorySegment ids = targets(call, call.targets(), w.out());
    DrawnAdjoints.Primal primal =
        new DrawnAdjoints.Primal(
            Cpu.memory(call.p()), ids, Cpu.memory(call.weights()), Cpu.memory(call.gx()));
    new DrawnAdjoints(
            cpu,
            w.backward().panels(),
            primal,
            call.seed(),
            Cpu.memory(call.labels()),
            Cpu.memory(call.out()))
        .run(q, m);
  }

  /** Cuts rows into equal blocks of at most {@code most}, as many for each thread. */
  private void blocks(PackedLinear head, long m, int most, WorkerPool.RangeTask task) {
    int tile = gemm.tileRows(head.forward().panels());
    RowBlocks blocks = RowBlocks.of(Math.toIntExact(m), most, tile, cpu.pool().threads());
    cpu.pool()
        .run(
            blocks.count(),
            (i, scratch) -> task.run(blocks.from(i), blocks.to(i), scratch));
  }

  /** Targets, checked to be classes. */
  private static MemorySegment targets(KernelCall call, Tensor targets, long vocabulary) {
    MemorySegment ids = Cpu.memory(targets);
    for (long row = 0; row < targets.elements(); row++) {
      Require.index(call, "targets", row, ids.get(INT, 4 * row), vocabulary);
    }
    return ids;
  }
}
