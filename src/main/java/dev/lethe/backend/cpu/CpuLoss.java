package dev.lethe.backend.cpu;

import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.FrozenLinear;
import dev.lethe.backend.LossKernels;
import dev.lethe.backend.Require;
import dev.lethe.backend.cpu.Scratch.Slot;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Vocabulary head and cross-entropy. Each thread takes a block of rows through both products, where
 * it can slice by slice of the vocabulary, so that each pass finds logits in the second-level cache.
 * The block is as tall as keeps the stream of weights below what memory delivers, and no taller.
 */
final class CpuLoss implements LossKernels {
  private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;
  private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;

  /** Rows of a block that works on a slice of the logits at a time. */
  private static final int TALL_BLOCK = 264;

  private final Cpu cpu;
  private final RowPrimitives rows;
  private final Gemm gemm;

  CpuLoss(Cpu cpu) {
    this.cpu = cpu;
    this.rows = cpu.rows();
    this.gemm = cpu.gemm();
  }

  @Override
  public void logits(FrozenLinear head, Tensor x, Tensor z) {
    PackedLinear w = PackedLinear.of(head);
    Require.rank("loss.logits: x", x, 2);
    Require.tensor("loss.logits: x", x, F32, x.dim(0), w.in());
    Require.tensor("loss.logits: z", z, F32, x.dim(0), w.out());
    gemm.run(
        Math.toIntExact(x.dim(0)),
        Matrix.rows(Cpu.memory(z), w.out()),
        w.start(gemm),
        new Gemm.Term(Matrix.rows(Cpu.memory(x), w.in()), w.forward().panels()));
  }

  @Override
  public void forward(
      FrozenLinear head,
      Tensor x,
      Tensor targets,
      Tensor weights,
      Tensor rowLoss,
      Tensor p,
      Tensor gx) {
    PackedLinear w = PackedLinear.of(head);
    Require.rank("loss.forward: x", x, 2);
    long m = x.dim(0);
    Require.tensor("loss.forward: x", x, F32, m, w.in());
    MemorySegment target = requireTargets("loss.forward: targets", targets, m, w.out());
    Require.tensor("loss.forward: rowLoss", rowLoss, F32, m);
    Require.tensorOrNull("loss.forward: p", p, F32, m, w.out());
    Require.tensorOrNull("loss.forward: gx", gx, F32, m, w.in());
    if (gx != null) {
      Require.tensor("loss.forward: weights", weights, F32, m);
    }
    LossForward mode =
        new LossForward(
            cpu,
            w.forward().panels(),
            gx == null ? null : w.backwardPanels("loss.forward"),
            w.start(gemm),
            Matrix.rows(Cpu.memory(x), w.in()),
            target,
            gx == null ? null : Cpu.memory(weights),
            Cpu.memory(rowLoss),
            p == null ? null : Cpu.memory(p),
            gx == null ? null : Cpu.memory(gx));
    blocks(w, m, TALL_BLOCK, mode::run);
  }

  @Override
  public void tangent(FrozenLinear head, Tensor p, Tensor targets, Tensor dx, Tensor dLoss) {
    PackedLinear w = PackedLinear.of(head);
    Require.rank("loss.tangent: dx", dx, 3);
    long k = dx.dim(0);
    long m = dx.dim(1);
    Require.tensor("loss.tangent: dx", dx, F32, k, m, w.in());
    Require.tensor("loss.tangent: p", p, F32, m, w.out());
    MemorySegment target = requireTargets("loss.tangent: targets", targets, m, w.out());
    Require.tensor("loss.tangent: dLoss", dLoss, F32, k, m);
    MemorySegment probabilities = Cpu.memory(p);
    MemorySegment out = Cpu.memory(dLoss);
    long v = w.out();
    Panels forth = w.forward().panels();
    Matrix in = Matrix.rows(Cpu.memory(dx), w.in());
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
                new Gemm.Term(in.fromRow(row), forth));
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
  public void backwardTangent(FrozenLinear head, Tensor p, Tensor weights, Tensor dx, Tensor dgx) {
    PackedLinear w = PackedLinear.of(head);
    Require.rank("loss.backwardTangent: dx", dx, 3);
    long k = dx.dim(0);
    long m = dx.dim(1);
    Require.tensor("loss.backwardTangent: dx", dx, F32, k, m, w.in());
    Require.tensor("loss.backwardTangent: p", p, F32, m, w.out());
    Require.tensor("loss.backwardTangent: weights", weights, F32, m);
    Require.tensor("loss.backwardTangent: dgx", dgx, F32, k, m, w.in());
    Panels back = w.backwardPanels("loss.backwardTangent");
    new HeadBlock(
            cpu, w.forward().panels(), back, Cpu.memory(p), Cpu.memory(weights), m,
            Cpu.memory(dx), Cpu.memory(dgx))
        .run(k);
  }

  @Override
  public void drawn(
      FrozenLinear head,
      Tensor p,
      Tensor targets,
      Tensor weights,
      Tensor gx,
      long seed,
      Tensor labels,
      Tensor out) {
    PackedLinear w = PackedLinear.of(head);
    Require.rank("loss.drawn: out", out, 3);
    int q = Math.toIntExact(out.dim(0));
    int m = Math.toIntExact(out.dim(1));
    Require.tensor("loss.drawn: out", out, F32, q, m, w.in());
    Require.tensor("loss.drawn: p", p, F32, m, w.out());
    MemorySegment ids = requireTargets("loss.drawn: targets", targets, m, w.out());
    Require.tensor("loss.drawn: weights", weights, F32, m);
    Require.tensor("loss.drawn: gx", gx, F32, m, w.in());
    Require.tensor("loss.drawn: labels", labels, DType.I32, q, m);
    DrawnAdjoints.Primal primal =
        new DrawnAdjoints.Primal(Cpu.memory(p), ids, Cpu.memory(weights), Cpu.memory(gx));
    new DrawnAdjoints(
            cpu, w.backwardPanels("loss.drawn"), primal, seed, Cpu.memory(labels), Cpu.memory(out))
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

  private static MemorySegment requireTargets(
      String what, Tensor targets, long m, long vocabulary) {
    Require.tensor(what, targets, DType.I32, m);
    MemorySegment ids = Cpu.memory(targets);
    for (long row = 0; row < m; row++) {
      Require.index(what, row, ids.get(INT, 4 * row), vocabulary);
    }
    return ids;
  }
}
