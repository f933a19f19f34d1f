package dev.lethe.backend.cuda;

import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.cuda.driver.Grid;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.cuda.launch.Kernel;
import dev.lethe.backend.cuda.launch.PackingTables;
import dev.lethe.backend.kernel.AttentionKernels;
import dev.lethe.backend.kernel.AttentionShape;
import dev.lethe.backend.kernel.Packing;
import dev.lethe.backend.kernel.Require;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.Set;

/**
 * Attention on tensor cores for bfloat16 heads of 32, 64 or 128, and by kernels/attention_plain.cu for all others. Nothing
 * adds into what another block wrote: queries and keys get their gradients from launches of their own.
 */
final class CudaAttention implements AttentionKernels {
  private static final Set<Integer> TILED_HEADS = Set.of(32, 64, 128);
  private static final int LARGEST_HEAD = 256;
  private static final int PLAIN_WARPS = 4;
  private static final int THREADS = 128;

  private final Cuda cuda;

  CudaAttention(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public void forward(Forward call) {
    AttentionShape shape = call.shape();
    requireHead(shape);
    Primal p = call.p();
    long n = call.queries().rows();
    if (n == 0) {
      return;
    }
    PackingTables.Table table = cuda.packings().of(call.queries());
    Tensor keyStarts = cuda.packings().of(call.keys()).starts();
    boolean tiled = tiled(shape);
    Kernel kernel = kernel("forward", shape, aligned(p.q(), p.k(), p.v(), p.o()));
    kernel.with(tiled ? table.tiles() : table.sequences()).with(table.starts()).with(keyStarts);
    kernel.with(p.q()).with(p.k()).with(p.v()).with(p.o()).with(p.lse());
    sizes(kernel, shape, n, p, p.o());
    if (tiled) {
      kernel.run(tiles(table, shape.heads(), 1, forwardBytes(shape)));
    } else {
      kernel.run(plain(n, shape.heads(), 1));
    }
  }

  @Override
  public void tangent(Tangent call) {
    AttentionShape shape = call.shape();
    requireHead(shape);
    Primal p = call.p();
    Tangents t = call.t();
    long n = call.packing().rows();
    long k = t.dO().dim(0);
    if (n == 0) {
      return;
    }
    PackingTables.Table table = cuda.packings().of(call.packing());
    boolean tiled = tiled(shape);
    boolean aligned = aligned(p.q(), p.k(), p.v(), t.dq(), t.dk(), t.dv(), t.dO());
    Kernel kernel = kernel("tangent", shape, aligned);
    kernel.with(tiled ? table.tiles() : table.sequences()).with(table.starts());
    kernel.with(p.q()).with(p.k()).with(p.v()).with(p.o()).with(p.lse());
    kernel.with(t.dq()).with(t.dk()).with(t.dv()).with(t.dO()).with(t.mu());
    requireAsPrimal(t, p);
    sizes(kernel, shape, n, p, p.o());
    if (tiled) {
      kernel.run(tiles(table, shape.heads(), k, tangentBytes(shape)));
    } else {
      kernel.run(plain(n, shape.heads(), k));
    }
  }

  @Override
  public void backward(Backward call) {
    AttentionShape shape = call.shape();
    requireHead(shape);
    Primal p = call.p();
    long n = call.packing().rows();
    if (n == 0) {
      return;
    }
    delta(shape, n, call.gO().dim(0), p.o(), call.gO(), null, null, call.delta());
    Gradient gradient =
        new Gradient(shape, call.packing(), p, call.gO(), call.delta(), null, null, null);
    queryGradient(gradient, call.in().gq());
    keyGradient(gradient, call.in().gk(), call.in().gv());
  }

  @Override
  public void backwardTangent(BackwardTangent call) {
    AttentionShape shape = call.shape();
    requireHead(shape);
    Primal p = call.p();
    Tangents t = call.t();
    long n = call.packing().rows();
    long k = call.in().gq().dim(0);
    if (n == 0) {
      return;
    }
    try (Scope scope = cuda.scratch("attention")) {
      Tensor ddelta = scope.allocate(F32, k, shape.heads(), n);
      delta(shape, n, k, p.o(), call.gO(), t.dO(), call.dgO(), ddelta);
      Gradient gradient =
          new Gradient(shape, call.packing(), p, call.gO(), call.delta(), t, call.dgO(), ddelta);
      queryGradient(gradient, call.in().gq());
      keyGradient(gradient, call.in().gk(), call.in().gv());
    }
  }

  /** What both launches of a backward mode read; t, dgO and ddelta are null in the first-order one. */
  private record Gradient(
      AttentionShape shape,
      Packing packing,
      Primal p,
      Tensor gO,
      Tensor delta,
      Tangents t,
      Tensor dgO,
      Tensor ddelta) {}

  private void queryGradient(Gradient g, Tensor gq) {
    PackingTables.Table table = cuda.packings().of(g.packing);
    boolean tiled = tiled(g.shape);
    long k = gq.dim(0);
    Kernel kernel = inputs(kernel("query_gradient", g, gq), g, table, tiled).with(gq);
    sizes(kernel, g.shape, g.packing.rows(), g.p, gq);
    if (tiled) {
      kernel.run(tiles(table, g.shape.heads(), k, queryGradientBytes(g)));
    } else {
      kernel.run(plain(g.packing.rows(), g.shape.heads(), k));
    }
  }

  private void keyGradient(Gradient g, Tensor gk, Tensor gv) {
    PackingTables.Table table = cuda.packings().of(g.packing);
    boolean tiled = tiled(g.shape);
    long k = gk.dim(0);
    Kernel kernel = inputs(kernel("key_gradient", g, gk, gv), g, table, tiled).with(gk).with(gv);
    Cuda.requireStride("attention: adjoint of v", gv, gk);
    sizes(kernel, g.shape, g.packing.rows(), g.p, gk);
    if (tiled) {
      kernel.run(tiles(table, g.shape.keyHeads(), k, keyGradientBytes(g)));
    } else {
      kernel.run(plain(g.packing.rows(), g.shape.keyHeads(), k));
    }
  }

  private Kernel inputs(Kernel kernel, Gradient g, PackingTables.Table table, boolean tiled) {
    kernel.with(tiled ? table.tiles() : table.sequences()).with(table.starts());
    kernel.with(g.p.q()).with(g.p.k()).with(g.p.v()).with(g.p.lse()).with(g.gO).with(g.delta);
    if (g.t == null && tiled) {
      return kernel;
    }
    if (g.t != null) {
      requireAsPrimal(g.t, g.p);
    }
    kernel.with(g.t == null ? null : g.t.dq());
    kernel.with(g.t == null ? null : g.t.dk());
    kernel.with(g.t == null ? null : g.t.dv());
    kernel.with(g.t == null ? null : g.t.mu());
    return kernel.with(g.dgO).with(g.ddelta);
  }

  private void delta(
      AttentionShape shape, long n, long k, Tensor o, Tensor gO, Tensor dO, Tensor dgO, Tensor delta) {
    cuda.kernel("attention_delta")
        .with(o).with(gO).with(dO).with(dgO).with(delta)
        .with(n).with(shape.heads()).with(shape.headSize()).with(o.stride())
        .run(plain(n, shape.heads(), k));
  }

  private boolean tiled(AttentionShape shape) {
    return cuda.type() == DType.BF16 && TILED_HEADS.contains(shape.headSize());
  }

  private Kernel kernel(String mode, AttentionShape shape, boolean aligned) {
    return tiled(shape)
        ? cuda.kernel("attention_" + mode + "_" + shape.headSize() + (aligned ? "" : "_unaligned"))
        : cuda.kernel("attention_" + mode + "_plain");
  }

  private Kernel kernel(String mode, Gradient g, Tensor... results) {
    boolean aligned = aligned(g.p.q(), g.p.k(), g.p.v(), g.gO) && aligned(results);
    if (g.t == null) {
      return kernel(mode, g.shape, aligned);
    }
    aligned &= aligned(g.t.dq(), g.t.dk(), g.t.dv(), g.dgO);
    return kernel(tiled(g.shape) ? mode + "_tangent" : mode, g.shape, aligned);
  }

  /** Sizes and strides, the last of which is that of the result. */
  private void sizes(Kernel kernel, AttentionShape shape, long rows, Primal p, Tensor result) {
    Cuda.requireStride("attention: v", p.v(), p.k());
    kernel.with(rows).with(shape.heads()).with(shape.group());
    if (!tiled(shape)) {
      kernel.with(shape.headSize());
    }
    kernel.with(shape.window()).with(p.q().stride()).with(p.k().stride()).with(result.stride());
    kernel.with((float) shape.scale());
  }

  private static void requireAsPrimal(Tangents t, Primal p) {
    Cuda.requireStride("attention: dq", t.dq(), p.q());
    Cuda.requireStride("attention: dk", t.dk(), p.k());
    Cuda.requireStride("attention: dv", t.dv(), p.k());
    Cuda.requireStride("attention: dO", t.dO(), p.o());
  }

  private static Grid plain(long rows, int heads, long k) {
    return new Grid(
        Math.toIntExact(Math.ceilDiv(rows, PLAIN_WARPS)), heads, Math.toIntExact(k), THREADS, 0);
  }

  private static Grid tiles(PackingTables.Table table, int heads, long k, int sharedBytes) {
    return new Grid(table.tileCount(), heads, Math.toIntExact(k), THREADS, sharedBytes);
  }

  /** Two buffers of keys and values, 64 rows each, beside the tile of queries. */
  private static int forwardBytes(AttentionShape shape) {
    return tileBytes(shape, 64, 1 + 2 * 2);
  }

  private static int tangentBytes(AttentionShape shape) {
    return tileBytes(shape, 64, 2) + tileBytes(shape, 32, 2 * 4);
  }

  /** Tiles of the block's queries, and of keys in two buffers; large ones in one. */
  private static int queryGradientBytes(Gradient g) {
    int tiles = g.t == null ? 2 : 4;
    int buffers = g.t != null && g.shape.headSize() == 128 ? 1 : 2;
    return tileBytes(g.shape, 64, tiles) + tileBytes(g.shape, 32, buffers * tiles);
  }

  /** Tiles of the block's keys, and in two buffers of queries, whose statistics are as many numbers each. */
  private static int keyGradientBytes(Gradient g) {
    int tiles = g.t == null ? 2 : 4;
    int queries = g.shape.headSize() == 128 ? 16 : 32;
    return tileBytes(g.shape, 64, tiles) + tileBytes(g.shape, queries, 2 * tiles) + 2 * tiles * queries * F32.bytes();
  }

  private static int tileBytes(AttentionShape shape, int rows, int tiles) {
    return tiles * rows * shape.headSize() * DType.BF16.bytes();
  }

  /** Whether all rows of all heads begin at multiples of 16 bytes. */
  private static boolean aligned(Tensor... tensors) {
    for (Tensor tensor : tensors) {
      if (tensor != null && (Cuda.address(tensor) % 16 != 0 || tensor.stride() * tensor.dtype().bytes() % 16 != 0)) {
        return false;
      }
    }
    return true;
  }

  private static void requireHead(AttentionShape shape) {
    Require.that(
        shape.headSize() <= LARGEST_HEAD,
        "attention: head size",
        "at most " + LARGEST_HEAD + " on the cuda backend",
        shape.headSize());
  }
}
