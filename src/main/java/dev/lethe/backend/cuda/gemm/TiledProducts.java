package dev.lethe.backend.cuda.gemm;

import dev.lethe.backend.cuda.blas.Operand;
import dev.lethe.backend.cuda.blas.Product;
import dev.lethe.backend.cuda.blas.Products;
import dev.lethe.backend.cuda.driver.Grid;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.backend.cuda.launch.Kernel;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.Locale;

/** Matrix products by kernels/gemm_*.cu: needs no library of NVIDIA's. */
public final class TiledProducts implements Products {
  /** Tiles of depth that a part of a split product covers at least. */
  private static final int LEAST_PART = 8;

  private static final int MOST_PARTS = 64;

  private final Cuda cuda;

  public TiledProducts(Cuda cuda) {
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
    GemmTile tile = GemmTile.of(p, cuda.device().multiprocessors());
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

  private void launch(Product p, GemmTile tile, long splits, Tensor parts) {
    Product.Term second = p.second() == null ? new Product.Term(0, p.a(), p.b()) : p.second();
    DType type = p.a().type();
    Kernel kernel = cuda.plainKernel(name(p, tile));
    operand(kernel, p.a());
    operand(kernel, p.b());
    operand(kernel, second.a());
    operand(kernel, second.b());
    operand(kernel, p.c());
    kernel
        .with(parts)
        .with(p.m())
        .with(p.n())
        .with(p.k())
        .with(second.k())
        .with(splits)
        .with((float) p.alpha())
        .with((float) p.beta())
        .run(
            new Grid(
                Math.toIntExact(tile.count(p.m(), p.n())),
                Math.toIntExact(splits),
                Math.toIntExact(p.batch()),
                tile.threads(type),
                tile.sharedBytes(type, p.a().transposed(), p.b().transposed())));
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

  private static String name(Product p, GemmTile tile) {
    String layout = (p.a().transposed() ? "t" : "n") + (p.b().transposed() ? "t" : "n");
    String types =
        p.a().type() == DType.F32 ? "_f32" : p.c().type() == DType.F32 ? "_bf16_to_f32" : "_bf16";
    return "gemm_" + layout + "_" + tile.name().toLowerCase(Locale.ROOT) + types;
  }

  /** Parts of the depth, so that a small result of a deep product still occupies the device. */
  private long splits(Product p, GemmTile tile) {
    long second = p.second() == null ? 0 : Math.ceilDiv(p.second().k(), GemmTile.DEPTH);
    long depth = Math.ceilDiv(p.k(), GemmTile.DEPTH) + second;
    long blocks = tile.count(p.m(), p.n()) * p.batch();
    long wanted = 2L * cuda.device().multiprocessors() / blocks;
    long parts = Math.clamp(Math.min(wanted, depth / LEAST_PART), 1, MOST_PARTS);
    return Math.max(1, Math.ceilDiv(depth, Math.max(1, Math.ceilDiv(depth, parts))));
  }

  @Override
  public void close() {}
}
