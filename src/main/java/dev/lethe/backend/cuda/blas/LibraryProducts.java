package dev.lethe.backend.cuda.blas;

import dev.lethe.Text;
import dev.lethe.backend.EnvironmentException;
import dev.lethe.backend.cuda.driver.Device;
import dev.lethe.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * What products by NVIDIA's libraries have in common: these know one term, no empty depth and no rows that
 * overlap, and want a workspace of ours, because their own would break recordings and equal bytes.
 */
abstract class LibraryProducts implements Products {
  private static final System.Logger LOG = System.getLogger(LibraryProducts.class.getName());

  /** What NVIDIA recommends for Hopper; older devices need 4 MiB. */
  static final long WORKSPACE_BYTES = 32L << 20;

  /** Sums of bfloat16 stay in float32 where the depth is split. */
  static final int MATH_MODE =
      Vendor.CUBLAS_DEFAULT_MATH | Vendor.CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;

  private static final long FEW_RESULTS = 256;

  private final Device device;
  private final Products spare;
  private final long workspace;
  private final Arena arena = Arena.ofShared();
  private final MemorySegment alpha = arena.allocate(ValueLayout.JAVA_FLOAT);
  private final MemorySegment beta = arena.allocate(ValueLayout.JAVA_FLOAT);

  /**
   * @param spare for products that the library cannot do; not closed with this
   */
  LibraryProducts(Device device, Products spare) {
    this.device = device;
    this.spare = spare;
    device.enter();
    this.workspace = device.allocate(WORKSPACE_BYTES);
  }

  /** Queues alpha·a·b (m,k)·(k,n) + beta·C for each entry of the batch; both factors are at their addresses. */
  abstract void multiply(Product p, long k, Operand a, Operand b, double beta);

  @Override
  public final void multiply(Product p) {
    try {
      queue(p);
    } catch (CublasFailure e) {
      if (device.recording()) {
        throw new Device.RecordingRefused(e.getMessage());
      }
      device.synchronize(); // a kernel that failed before makes the library fail, and is the one to be named
      throw new EnvironmentException(
          "matrix products",
          e.getMessage(),
          "See whether nvidia-smi works; -D"
              + ProductsLadder.PROPERTY
              + "=tiled does without this library.");
    }
  }

  /** The same; throws {@link CublasFailure} where the library refuses. */
  final void queue(Product p) {
    if (p.m() == 0 || p.n() == 0) {
      return;
    }
    Product.Term second = p.second();
    if (!fits(p, second) || wantsOneRounding(p)) {
      spare.multiply(p);
      return;
    }
    device.enter();
    alpha.set(ValueLayout.JAVA_FLOAT, 0, (float) p.alpha());
    beta.set(ValueLayout.JAVA_FLOAT, 0, (float) p.beta());
    if (second == null || second.k() == 0) {
      multiply(p, p.k(), p.a(), p.b(), p.beta());
      return;
    }
    multiply(p, second.k(), second.a(), second.b(), p.beta());
    beta.set(ValueLayout.JAVA_FLOAT, 0, 1);
    multiply(p, p.k(), p.a(), p.b(), 1);
  }

  /**
   * A few numbers of two terms each, which may cancel: rounding one before the other is added could leave nothing of
   * the sum. In large results such numbers are few.
   */
  private static boolean wantsOneRounding(Product p) {
    return p.second() != null
        && p.second().k() > 0
        && p.c().type() == DType.BF16
        && p.m() * p.n() <= FEW_RESULTS;
  }

  private static boolean fits(Product p, Product.Term second) {
    return p.k() > 0
        && p.m() <= Integer.MAX_VALUE
        && p.n() <= Integer.MAX_VALUE
        && p.batch() <= Integer.MAX_VALUE
        && fits(p.c(), p.m(), p.n())
        && fits(p, p.k(), p.a(), p.b())
        && (second == null || second.k() == 0 || fits(p, second.k(), second.a(), second.b()));
  }

  private static boolean fits(Product p, long k, Operand a, Operand b) {
    return k <= Integer.MAX_VALUE && fits(a, p.m(), k) && fits(b, k, p.n());
  }

  /** Rows and columns after transposition. */
  private static boolean fits(Operand x, long rows, long columns) {
    long storedRows = x.transposed() ? columns : rows;
    long storedColumns = x.transposed() ? rows : columns;
    return x.stride() <= Integer.MAX_VALUE && (storedRows == 1 || x.stride() >= storedColumns);
  }

  Device device() {
    return device;
  }

  Products spare() {
    return spare;
  }

  /** Address of WORKSPACE_BYTES on the device. */
  long workspace() {
    return workspace;
  }

  /** Address of the float alpha on the host. */
  long alpha() {
    return alpha.address();
  }

  /** Address of the float beta on the host. */
  long beta() {
    return beta.address();
  }

  Arena arena() {
    return arena;
  }

  /** The stride, which a matrix of one row may have too small. */
  private static int leading(Operand x, long columns) {
    return (int) Math.max(x.stride(), columns);
  }

  static int leadingA(Product p, long k, Operand a) {
    return leading(a, a.transposed() ? p.m() : k);
  }

  static int leadingB(Product p, long k, Operand b) {
    return leading(b, b.transposed() ? k : p.n());
  }

  static int leadingC(Product p) {
    return leading(p.c(), p.n());
  }

  static int type(DType type) {
    return type == DType.BF16 ? Vendor.CUDA_R_16BF : Vendor.CUDA_R_32F;
  }

  static int operation(Operand x) {
    return x.transposed() ? Vendor.CUBLAS_OP_T : Vendor.CUBLAS_OP_N;
  }

  /** Float32 is multiplied as such, never as TF32, whatever the environment says. */
  static int computeType(DType type) {
    return type == DType.BF16 ? Vendor.CUBLAS_COMPUTE_32F : Vendor.CUBLAS_COMPUTE_32F_PEDANTIC;
  }

  /** As in {@code 13.1.1}. */
  static String versionText(long version) {
    return Text.format("%d.%d.%d", version / 10_000, version / 100 % 100, version % 100);
  }

  /** Throws where the library refused a product. */
  void require(int status, Product p, long k) {
    if (status != Vendor.CUBLAS_STATUS_SUCCESS) {
      String what =
          Text.format(
              "a product (%d,%d,%d) of %s into %s, batch %d, by %s",
              p.m(), p.n(), k, p.a().type(), p.c().type(), p.batch(), description());
      CublasFailure.require(status, what);
    }
  }

  /** Gives back what the library holds, before its workspace goes. */
  abstract void release();

  /** Gives back what this class holds, for constructors that fail. */
  void abandon() {
    device.free(workspace);
    arena.close();
  }

  @Override
  public final void close() {
    try {
      device.enter();
      release();
      device.free(workspace);
    } catch (EnvironmentException lost) {
      LOG.log(System.Logger.Level.DEBUG, "the context is gone, and with it what was in it", lost);
    }
    arena.close();
  }
}
