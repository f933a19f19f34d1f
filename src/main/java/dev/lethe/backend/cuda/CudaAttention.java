package dev.lethe.backend.cuda;

import static dev.lethe.tensor.DType.F32;

import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.cuda.launch.Kernel;
import dev.lethe.backend.cuda.launch.PackingTables;
import dev.lethe.backend.kernel.AttentionKernels;
import dev.lethe.backend.kernel.Require;
import dev.lethe.backend.kernel.operand.AttentionShape;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.stream.Stream;

/**
 * Attention on tensor cores for bfloat16 heads of 32, 64 or 128, and by kernels/attention_plain.cu for all others: {@link
 * AttentionWay}. Nothing adds into what another block wrote: queries and keys get their gradients from launches of their
 * own.
 */
final class CudaAttention implements AttentionKernels {
  private static final int LARGEST_HEAD = 256;

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
    AttentionWay way = AttentionWay.of(cuda, "forward", shape, p.q(), p.k(), p.v(), p.o());
    Kernel kernel = cuda.kernel(way.kernel("forward", shape));
    kernel.with(way.places(table)).with(table.starts()).with(keyStarts);
    kernel.with(p.q()).with(p.k()).with(p.v()).with(p.o()).with(p.lse());
    sizes(kernel, way, shape, n, p, p.o());
    kernel.run(way.grid(table, shape.heads(), 1, way.sharedBytes(shape, 1, 2 * 2, 64)));
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
    AttentionWay way = AttentionWay.of(cuda, "tangent", shape, p.q(), p.k(), p.v(), t.dq(), t.dk(), t.dv(), t.dO());
    Kernel kernel = cuda.kernel(way.kernel("tangent", shape));
    kernel.with(way.places(table)).with(table.starts());
    kernel.with(p.q()).with(p.k()).with(p.v()).with(p.o()).with(p.lse());
    kernel.with(t.dq()).with(t.dk()).with(t.dv()).with(t.dO()).with(t.mu());
    requireAsPrimal(t, p);
    sizes(kernel, way, shape, n, p, p.o());
    kernel.run(way.grid(table, shape.heads(), k, way.sharedBytes(shape, 2, 2 * 4, 32)));
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
      Gradient gradient =
          new Gradient(shape, call.packing(), p, call.gO(), call.delta(), t, call.dgO(), ddelta);
      queryGradient(gradient, call.in().gq());
      keyGradient(gradient, call.in().gk(), call.in().gv());
    }
  }

  /**
   * What both launches of a backward mode read; t, dgO and ddelta are null in the first-order one. The queries' comes first:
   * it makes delta, or ddelta.
   */
  private record Gradient(
      AttentionShape shape,
      Packing packing,
      Primal p,
      Tensor gO,
      Tensor delta,
      Tangents t,
      Tensor dgO,
      Tensor ddelta) {

    /** Tiles of each side. */
    int tiles() {
      return t == null ? 2 : 4;
    }

    String mode(String firstOrder) {
      return t == null ? firstOrder : firstOrder + "_tangent";
    }
  }

  private void queryGradient(Gradient g, Tensor gq) {
    PackingTables.Table table = cuda.packings().of(g.packing);
    Tensor dO = g.t == null ? null : g.t.dO();
    AttentionWay way = way("query_gradient", g, gq, g.p.o(), dO);
    if (!way.tiled()) {
      delta(g, gq.dim(0));
    }
    Kernel kernel = inputs(way, "query_gradient", g, table);
    if (way.tiled()) {
      kernel.with(g.p.o());
      if (g.t != null) {
        kernel.with(dO);
      }
      kernel.with(g.p.o().stride());
    }
    kernel.with(gq);
    sizes(kernel, way, g.shape, g.packing.rows(), g.p, gq);
    int keys = g.t == null && way == AttentionWay.WARPGROUPS ? 64 : 32;
    int buffers = g.t != null && g.shape.headSize() == 128 ? 1 : 2;
    int bytes = way.sharedBytes(g.shape, g.tiles(), buffers * g.tiles(), keys);
    kernel.run(way.grid(table, g.shape.heads(), gq.dim(0), bytes));
  }

  private void keyGradient(Gradient g, Tensor gk, Tensor gv) {
    PackingTables.Table table = cuda.packings().of(g.packing);
    AttentionWay way = way("key_gradient", g, gk, gv);
    Kernel kernel = inputs(way, "key_gradient", g, table).with(gk).with(gv);
    Cuda.requireStride("attention: adjoint of v", gv, gk);
    sizes(kernel, way, g.shape, g.packing.rows(), g.p, gk);
    int queries = g.shape.headSize() == 128 && way != AttentionWay.WARPGROUPS ? 16 : 32;
    int statistics = 2 * g.tiles() * queries * F32.bytes();
    int bytes = way.sharedBytes(g.shape, g.tiles(), 2 * g.tiles(), queries) + statistics;
    kernel.run(way.grid(table, g.shape.keyHeads(), gk.dim(0), bytes));
  }

  /** For what both launches read, and what one of them reads or writes besides. */
  private AttentionWay way(String mode, Gradient g, Tensor... own) {
    Stream<Tensor> primal = Stream.of(g.p.q(), g.p.k(), g.p.v(), g.gO, g.dgO);
    Stream<Tensor> tangents = g.t == null ? Stream.empty() : Stream.of(g.t.dq(), g.t.dk(), g.t.dv());
    Stream<Tensor> both = Stream.concat(primal, tangents);
    return AttentionWay.of(
        cuda, g.mode(mode), g.shape, Stream.concat(both, Arrays.stream(own)).toArray(Tensor[]::new));
  }

  private Kernel inputs(AttentionWay way, String mode, Gradient g, PackingTables.Table table) {
    Kernel kernel = cuda.kernel(way.kernel(g.mode(mode), g.shape));
    kernel.with(way.places(table)).with(table.starts());
    kernel.with(g.p.q()).with(g.p.k()).with(g.p.v()).with(g.p.lse()).with(g.gO).with(g.delta);
    if (g.t == null && way.tiled()) {
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

  /** D or D', which tiled kernels of queries' gradients make themselves. */
  private void delta(Gradient g, long k) {
    cuda.kernel("attention_delta")
        .with(g.p.o()).with(g.gO).with(g.t == null ? null : g.t.dO()).with(g.dgO).with(g.t == null ? g.delta : g.ddelta)
        .with(g.packing.rows()).with(g.shape.heads()).with(g.shape.headSize()).with(g.p.o().stride())
        .run(AttentionWay.warpARow(g.packing.rows(), g.shape.heads(), k));
  }

  /** Sizes and strides, the last of which is that of the result. */
  private static void sizes(
      Kernel kernel, AttentionWay way, AttentionShape shape, long rows, Primal p, Tensor result) {
    Cuda.requireStride("attention: v", p.v(), p.k());
    kernel.with(rows).with(shape.heads()).with(shape.group());
    if (!way.tiled()) {
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

  private static void requireHead(AttentionShape shape) {
    Require.that(
        shape.headSize() <= LARGEST_HEAD,
        "attention: head size",
        "at most " + LARGEST_HEAD + " on the cuda backend",
        shape.headSize());
  }
}
