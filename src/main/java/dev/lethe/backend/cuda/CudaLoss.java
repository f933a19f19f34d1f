package dev.lethe.backend.cuda;

import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.cuda.blas.Operand;
import dev.lethe.backend.cuda.blas.Product;
import dev.lethe.backend.cuda.driver.Grid;
import dev.lethe.backend.cuda.gemm.OpenLinear;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.kernel.LossKernels;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/**
 * Vocabulary head and cross-entropy by kernels/cross_entropy.cu, in chunks of rows between two products. Logits
 * are float32 whatever the activations are, because rounding one of size 30 to bfloat16 changes its
 * probability by 6 percent; their tangents and adjoints enter linearly and are in activation format.
 */
final class CudaLoss implements LossKernels {
  /** What the logits of a chunk may take. */
  private static final long CHUNK_BYTES = 512L << 20;

  /** Chunks of fewer rows read the head's weight more often than the products can hide. */
  private static final long LEAST_ROWS = 512;

  private static final long ROW_MULTIPLE = 128;
  private static final int MOST_THREADS = 1024;

  /** With the 64 registers of a thread that CompiledKernelsTest grants. */
  private static final int THREADS_PER_MULTIPROCESSOR = 1024;

  /** A longer row is alone on its multiprocessor, and has all of its shared memory. */
  private static final long LONG_ROW = 1 << 16;

  /** Shared memory that a block leaves: the driver's own, and the arrays of its kernel. */
  private static final int SHARED_RESERVE = 2 << 10;

  /** Elements of the longest piece of a row that a thread takes at a time. */
  private static final int PIECE = 8;

  private final Cuda cuda;
  private final long mostRows;

  CudaLoss(Cuda cuda) {
    this(cuda, Long.MAX_VALUE);
  }

  /**
   * @param mostRows of a chunk, besides the limit of its memory
   */
  CudaLoss(Cuda cuda, long mostRows) {
    this.cuda = cuda;
    this.mostRows = mostRows;
  }

  @Override
  public void logits(Logits call) {
    try (OpenLinear w = new OpenLinear(cuda, call.head())) {
      logits(call, w);
    }
  }

  private void logits(Logits call, OpenLinear w) {
    long m = call.x().dim(0);
    if (m == 0) {
      return;
    }
    Product product = logits(w, call.x(), call.z());
    if (w.bias() != null) {
      cuda.kernel("rows_repeat")
          .with(w.bias()).with(call.z()).with(m).with(w.out())
          .run(cuda.warps(m));
      product = product.added();
    }
    cuda.products().multiply(product);
  }

  @Override
  public void likeliest(Likeliest call) {
    long m = call.z().dim(0);
    if (m > 0) {
      cuda.kernel("sampling_likeliest")
          .with(call.z()).with(call.ids()).with(call.z().dim(1))
          .run(cuda.blocks(m, call.z().dim(1), MOST_THREADS));
    }
  }

  @Override
  public void forward(Forward call) {
    try (OpenLinear w = new OpenLinear(cuda, call.head())) {
      forward(call, w);
    }
  }

  private void forward(Forward call, OpenLinear w) {
    long m = call.x().dim(0);
    try (Scope scratch = cuda.scratch("loss")) {
      long most = chunkRows(m, w.out());
      Tensor z = scratch.allocate(F32, most, w.out());
      Tensor gz =
          call.gx() == null
              ? null
              : cuda.type() == F32 ? z : scratch.allocate(cuda.type(), most, w.out());
      for (long first = 0; first < m; first += most) {
        Part part = new Part(first, Math.min(most, m - first));
        cuda.products().multiply(logits(w, part.of(call.x()), z));
        RowBlocks blocks = blocks(part.count, w.out(), call.p() == null && gz == null ? 0 : F32.bytes());
        cuda.kernel("cross_entropy_forward")
            .with(z).with(w.bias()).with(part.of(call.targets()))
            .with(call.gx() == null ? null : part.of(call.weights())).with(part.of(call.rowLoss()))
            .with(part.of(call.p())).with(gz).with(part.count).with(w.out()).with(blocks.kept)
            .run(blocks.grid);
        if (call.gx() != null) {
          cuda.products().multiply(adjoint(w, gz, part.of(call.gx())));
        }
      }
    }
  }

  @Override
  public void tangent(Tangent call) {
    try (OpenLinear w = new OpenLinear(cuda, call.head())) {
      tangent(call, w);
    }
  }

  private void tangent(Tangent call, OpenLinear w) {
    long m = call.dx().dim(1);
    logitTangents(
        w,
        call.dx(),
        (part, dz) ->
            cuda.kernel("cross_entropy_tangent")
                .with(call.p()).with(call.targets()).with(dz).with(call.dLoss()).with(part.first)
                .with(part.count).with(m).with(w.out())
                .run(blocks(part.count, w.out(), 0).grid));
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    try (OpenLinear w = new OpenLinear(cuda, call.head())) {
      backwardTangent(call, w);
    }
  }

  private void backwardTangent(BackwardTangent call, OpenLinear w) {
    long m = call.dx().dim(1);
    Tensor out = rows(call.dgx());
    logitTangents(
        w,
        call.dx(),
        (part, dz) -> {
          RowBlocks blocks = blocks(part.count, w.out(), 2 * cuda.type().bytes());
          cuda.kernel("cross_entropy_backward_tangent")
              .with(call.p()).with(call.weights()).with(dz).with(part.first).with(part.count)
              .with(m).with(w.out()).with(blocks.kept)
              .run(blocks.grid);
          cuda.products().multiply(adjoint(w, dz, part.of(out)));
        });
  }

  @Override
  public void drawn(Drawn call) {
    try (OpenLinear w = new OpenLinear(cuda, call.head())) {
      drawn(call, w);
    }
  }

  private void drawn(Drawn call, OpenLinear w) {
    long q = call.out().dim(0);
    long m = call.out().dim(1);
    if (call.out().elements() > 0) {
      cuda.kernel("drawn_labels")
          .with(w.weight()).with(call.p()).with(call.targets()).with(call.weights()).with(call.gx())
          .with(call.seed()).with(call.labels()).with(call.out()).with(q).with(m).with(w.in())
          .with(w.out())
          .run(cuda.blocks(m, w.out(), Cuda.THREADS));
    }
  }

  /** ż = ẋWᵀ for all rows of all directions, chunk by chunk. */
  private void logitTangents(OpenLinear w, Tensor dx, TangentTask task) {
    Tensor in = rows(dx);
    long total = in.dim(0);
    try (Scope scratch = cuda.scratch("loss tangent")) {
      long most = chunkRows(total, w.out());
      Tensor dz = scratch.allocate(cuda.type(), most, w.out());
      for (long first = 0; first < total; first += most) {
        Part part = new Part(first, Math.min(most, total - first));
        cuda.products().multiply(logits(w, part.of(in), dz));
        task.run(part, dz);
      }
    }
  }

  /** z = xWᵀ, for as many rows as x has. */
  private static Product logits(OpenLinear w, Tensor x, Tensor z) {
    Operand weight = Cuda.matrix(w.weight()).transpose(); // (D,V)
    return Product.of(x.dim(0), w.out(), w.in(), 1, Cuda.matrix(x), weight, Cuda.matrix(z));
  }

  /** x̄ = z̄W, for as many rows as x̄ has. */
  private static Product adjoint(OpenLinear w, Tensor gz, Tensor gx) {
    Operand weight = Cuda.matrix(w.weight()); // (V,D)
    return Product.of(gx.dim(0), w.in(), w.out(), 1, Cuda.matrix(gz), weight, Cuda.matrix(gx));
  }

  private long chunkRows(long rows, long vocabulary) {
    long fitting = CHUNK_BYTES / (vocabulary * F32.bytes()) / ROW_MULTIPLE * ROW_MULTIPLE;
    return Math.min(Math.min(rows, mostRows), Math.max(LEAST_ROWS, fitting));
  }

  /**
   * @param bytes that the kernel keeps of each element for a second look; 0: it has none
   */
  private RowBlocks blocks(long rows, long vocabulary, int bytes) {
    int threads = cuda.rowThreads(vocabulary, vocabulary > LONG_ROW ? MOST_THREADS : MOST_THREADS / 2);
    int together = THREADS_PER_MULTIPROCESSOR / threads;
    Grid grid = Grid.of(Math.min(rows, (long) together * cuda.device().multiprocessors()), threads);
    if (bytes == 0) {
      return new RowBlocks(grid, 0);
    }
    long room = Math.max(0, cuda.device().sharedMemory() / together - SHARED_RESERVE);
    long kept = Math.min(vocabulary, room / bytes / PIECE * PIECE);
    return new RowBlocks(grid.shared(Math.toIntExact(kept * bytes)), kept);
  }

  /** (k,M,D) as (kM,D). */
  private static Tensor rows(Tensor tensor) {
    return tensor.reshape(tensor.dim(0) * tensor.dim(1), tensor.dim(2));
  }

  /**
   * Blocks that take a row after another.
   *
   * @param kept elements of a row that stay in shared memory from its first reading to its second
   */
  private record RowBlocks(Grid grid, long kept) {}

  /** Rows {@code first … first+count-1}. */
  private record Part(long first, long count) {
    Tensor of(Tensor tensor) {
      return tensor == null ? null : tensor.slice(first, count);
    }
  }

  /** Works on ż of some rows, at the beginning of dz. */
  @FunctionalInterface
  private interface TangentTask {
    void run(Part part, Tensor dz);
  }
}
