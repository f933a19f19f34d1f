package dev.lethe.backend.cuda.launch;

import dev.lethe.ArgumentException;
import dev.lethe.Text;
import dev.lethe.backend.Turn;
import dev.lethe.backend.cuda.blas.Operand;
import dev.lethe.backend.cuda.blas.Products;
import dev.lethe.backend.cuda.driver.Device;
import dev.lethe.backend.cuda.driver.Grid;
import dev.lethe.backend.kernel.Require;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/** What all kernels of one backend share. */
public final class Cuda implements AutoCloseable {
  /** Threads of a block in elementwise kernels. */
  public static final int THREADS = 256;

  /** Blocks for each multiprocessor, at most, in grid-stride loops. */
  private static final int WAVES = 8;

  private static final int WARP = 32;
  private static final int PACK_BYTES = 16;

  private final Device device;
  private final DType type;
  private final Turn turn = new Turn("cuda");
  private final CudaAllocator allocator;
  private final Arena arena = Arena.ofShared();
  private final Map<String, Kernel> kernels = new HashMap<>();
  private final CudaAllocator tables;
  private final Transfers transfers;
  private final PackingTables packings;
  private final Products products;

  /**
   * @param type of activations and frozen weights, F32 or BF16
   * @param products closed with this
   */
  public Cuda(Device device, DType type, ProductsFactory products) {
    this.device = device;
    this.type = type;
    this.allocator = new CudaAllocator(device, turn);
    this.tables = new CudaAllocator(device, turn);
    this.transfers = new Transfers(this);
    this.packings = new PackingTables(this);
    this.products = products.make(this);
  }

  /** Makes the matrix products of a backend, which may need its kernels. */
  @FunctionalInterface
  public interface ProductsFactory {
    Products make(Cuda cuda);
  }

  /** Held by the thread that may use the device. */
  public Turn turn() {
    return turn;
  }

  public Device device() {
    return device;
  }

  /** The format of activations and frozen weights. */
  public DType type() {
    return type;
  }

  public CudaAllocator allocator() {
    return allocator;
  }

  /** The memory of small tables that are kept; no tensor of a caller's lies there. */
  CudaAllocator tables() {
    return tables;
  }

  public PackingTables packings() {
    return packings;
  }

  public Transfers transfers() {
    return transfers;
  }

  public Products products() {
    return products;
  }

  /** The kernel NAME_f32 or NAME_bf16, as activations are. */
  public Kernel kernel(String name) {
    return kernel(name, type);
  }

  /** The kernel NAME_f32 or NAME_bf16. */
  public Kernel kernel(String name, DType type) {
    return plainKernel(name + "_" + type.name().toLowerCase(Locale.ROOT));
  }

  /** The kernel of exactly this name. */
  public Kernel plainKernel(String name) {
    return kernels.computeIfAbsent(name, whole -> new Kernel(device, whole, arena));
  }

  /** Memory for one call. */
  public Scope scratch(String name) {
    return Scope.open(name, allocator);
  }

  /** Sets a tensor to zero. */
  public void zero(Tensor tensor) {
    device.fill(address(tensor), (byte) 0, tensor.byteSize());
  }

  /** One thread an element, in a grid-stride loop over at least one element. */
  public Grid elements(long count) {
    long blocks = Math.ceilDiv(Math.max(1, count), THREADS);
    return Grid.of(Math.min(blocks, (long) WAVES * device.multiprocessors()), THREADS);
  }

  /** A thread for each 16 bytes of a matrix of activations: rows along the grid's x, at least one, columns along its y. */
  public Grid piecesOfRows(long rows, long width) {
    long across = Math.ceilDiv(Math.max(1, width) * type.bytes(), (long) PACK_BYTES * THREADS);
    long down = Math.clamp(rows, 1, Math.ceilDiv((long) WAVES * device.multiprocessors(), across));
    return new Grid(Math.toIntExact(down), Math.toIntExact(across), 1, THREADS, 0);
  }

  /** One warp a row, in a grid-stride loop over at least one row. */
  public Grid warps(long rows) {
    return elements(Math.multiplyExact(rows, WARP));
  }

  /** One block a row, a thread for each 16 bytes of its activations up to so many threads. */
  public Grid blocks(long rows, long width, int mostThreads) {
    return Grid.of(rows, rowThreads(width, mostThreads));
  }

  /** Whole warps with a thread for each 16 bytes of a row of activations, up to so many threads. */
  public int rowThreads(long width, int mostThreads) {
    long warps = Math.ceilDiv(width * type.bytes(), (long) PACK_BYTES * WARP);
    return (int) Math.clamp(warps * WARP, WARP, (long) mostThreads);
  }

  /** Device address of a tensor of this backend. */
  public static long address(Tensor tensor) {
    if (tensor.storage() instanceof CudaStorage storage) {
      return storage.address() + tensor.byteOffset();
    }
    throw new ArgumentException(
        Text.format(
            "tensor %s lies on %s; upload it into a scope of the cuda backend first",
            tensor, tensor.storage().place()));
  }

  /** A tensor's stride; 0 for null. */
  public static long strideOrZero(Tensor tensor) {
    return tensor == null ? 0 : tensor.stride();
  }

  /** That a tensor, if there is one, has rows as far apart as another's. */
  public static void requireStride(String what, Tensor tensor, Tensor other) {
    if (tensor != null && tensor.stride() != other.stride()) {
      Require.that(false, what, "rows " + other.stride() + " elements apart, as of " + other, tensor.stride());
    }
  }

  /** A tensor's last two axes as a matrix; its other axes are the batch. */
  public static Operand matrix(Tensor tensor) {
    int rank = tensor.shape().rank();
    long rows = rank == 1 ? 1 : tensor.dim(rank - 2);
    Operand matrix = Operand.of(address(tensor), tensor.dtype(), tensor.stride());
    return rank > 2 ? matrix.every(rows * tensor.stride()) : matrix;
  }

  @Override
  public void close() {
    products.close();
    packings.close();
    tables.close();
    allocator.close();
    device.close();
    arena.close();
  }
}
