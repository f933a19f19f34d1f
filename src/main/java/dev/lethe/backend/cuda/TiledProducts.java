package dev.lethe.backend.cuda;

import dev.lethe.backend.cuda.blas.Operand;
import dev.lethe.backend.cuda.blas.Product;
import dev.lethe.backend.cuda.blas.Products;
import dev.lethe.backend.cuda.driver.Grid;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/** Matrix products by kernels/gemm_f32.cu and gemm_bf16.cu: needs no library of NVIDIA's. */
final class TiledProducts implements Products {
  private static final int WIDE = 128;
  private static final int NARROW = 64;
  private static final int DEPTH = 32;
  private static final int PAD = 8;
  private static final int BUFFERS = 3;

  /** Tiles of depth that a part of a split product covers at least. */
  private static final int LEAST_PART = 8;

  private final Cuda cuda;

  TiledProducts(Cuda cuda) {
    this.cuda = cuda;
  }

  @Override
  public String description() {
    return "Lethe's own tiled kernels";
  }

  @Override
  public void multiply(Product p) {
    if (p.m() == 0 || p.n() == 0) {
      return;
    }
    boolean narrow = p.a().type() == DType.F32 || tiles(p, WIDE) < cuda.device().multiprocessors();
    int tile = narrow ? NARROW : WIDE;
    long splits = splits(p, tile);
    try (Scope scratch = cuda.scratch("split product")) {
      Tensor parts =
          splits == 1 ? null : scratch.allocate(DType.F32, p.batch(), splits, p.m(), p.n());
      launch(p, tile, splits, parts);
      if (splits > 1) {
        reduce(p, splits, parts);
      }
    }
  }

  private void launch(Product p, int tile, long splits, Tensor parts) {
    Product.Term second = p.second() == null ? new Product.Term(0, p.a(), p.b()) : p.second();
    Kernel kernel = cuda.plainKernel(name(p, tile));
    operand(kernel, p.a());
    operand(kernel, p.b());
    operand(kernel, second.a());
    operand(kernel, second.b());
    operand(kernel, p.c());
    kernel.with(parts).with(p.m()).with(p.n()).with(p.k()).with(second.k()).with(splits);
    kernel.with((float) p.alpha()).with((float) p.beta());
    if (p.a().type() == DType.BF16) {
      kernel.with(aligned(p.a(), p.b())).with(aligned(second.a(), second.b()));
    }
    kernel.run(
        new Grid(
            Math.toIntExact(tiles(p, tile)),
            Math.toIntExact(splits),
            Math.toIntExact(p.batch()),
            p.a().type() == DType.F32 ? 256 : 2 * tile,
            p.a().type() == DType.F32 ? 0 : sharedBytes(p, tile)));
  }

  private void reduce(Product p, long splits, Tensor parts) {
    cuda.kernel("gemm_reduce", p.c().type())
        .with(parts)
        .with(p.c().address())
        .with(p.c().stride())
        .with(p.c().batchStride())
        .with(p.m())
        .with(p.n())
        .with(splits)
        .with(p.batch())
        .with((float) p.alpha())
        .with((float) p.beta())
        .run(cuda.elements(p.batch() * p.m() * p.n()));
  }

  private static void operand(Kernel kernel, Operand operand) {
    kernel.with(operand.address()).with(operand.stride()).with(operand.batchStride());
  }

  private static String name(Product p, int tile) {
    String layout =
        "gemm_%s%s_".formatted(p.a().transposed() ? "t" : "n", p.b().transposed() ? "t" : "n");
    if (p.a().type() == DType.F32) {
      return layout + "f32";
    }
    String size = tile == WIDE ? "wide" : "narrow";
    return layout + size + (p.c().type() == DType.F32 ? "_bf16_to_f32" : "_bf16");
  }

  private static long tiles(Product p, int tile) {
    return Math.ceilDiv(p.m(), tile) * Math.ceilDiv(p.n(), tile);
  }

  /** Parts of the depth, so that a small result of a deep product still occupies the device. */
  private long splits(Product p, int tile) {
    long second = p.second() == null ? 0 : Math.ceilDiv(p.second().k(), DEPTH);
    long depth = Math.ceilDiv(p.k(), DEPTH) + second;
    long blocks = tiles(p, tile) * p.batch();
    long wanted = 2L * cuda.device().multiprocessors() / blocks;
    long splits = Math.clamp(Math.min(wanted, depth / LEAST_PART), 1, 64);
    long share = Math.ceilDiv(depth, splits);
    return Math.max(1, Math.ceilDiv(depth, Math.max(1, share)));
  }

  /** 1 where both can be copied 16 bytes at a time. */
  private static long aligned(Operand a, Operand b) {
    return aligned(a) && aligned(b) ? 1 : 0;
  }

  private static boolean aligned(Operand x) {
    long elements = 16 / x.type().bytes();
    return x.address() % 16 == 0 && x.stride() % elements == 0 && x.batchStride() % elements == 0;
  }

  private static int sharedBytes(Product p, int tile) {
    int along = tile * (DEPTH + PAD);
    int across = DEPTH * (tile + PAD);
    int a = p.a().transposed() ? across : along;
    int b = p.b().transposed() ? along : across;
    return BUFFERS * (a + b) * p.a().type().bytes();
  }

  @Override
  public void close() {}
}
