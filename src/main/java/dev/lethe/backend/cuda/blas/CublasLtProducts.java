package dev.lethe.backend.cuda.blas;

import dev.lethe.Text;
import dev.lethe.backend.cuda.driver.Device;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Products by cuBLASLt. The descriptors of each shape are made once, and its algorithm chosen once: the one
 * kept from an earlier process, else the fastest of what the library proposes, else its first. Timing happens
 * only where the choice can be kept, since another algorithm may give other bytes. Algorithms that split the
 * depth sum its parts in float32 and a fixed order.
 */
final class CublasLtProducts extends LibraryProducts {
  /** {@code -Dlethe.products.tune=false}: the library's first choice always. */
  static final String TUNE = "lethe.products.tune";

  private static final System.Logger LOG = System.getLogger(CublasLtProducts.class.getName());
  private static final int MOST_ALGORITHMS = 16;

  /** Below this, starting a kernel takes longer than running it. */
  private static final double FEWEST_OPERATIONS_TIMED = 1 << 22;

  private final CublasLt lt;
  private final long handle;
  private final long preference;
  private final AlgorithmStore store;
  private final EventStopwatch stopwatch;
  private final MatmulShape shape = new MatmulShape();
  private final Map<MatmulShape, MatmulPlan> plans = new HashMap<>();
  private boolean toldOfSpare;

  CublasLtProducts(
      CublasLt lt, Device device, Products spare, AlgorithmStore store, EventStopwatch stopwatch) {
    super(device, spare);
    this.lt = lt;
    this.store = store;
    this.stopwatch = stopwatch;
    try {
      handle = lt.create();
      preference = lt.createPreference();
      lt.setMostWorkspace(preference, WORKSPACE_BYTES);
      lt.setPreference(
          preference,
          Vendor.CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
          Vendor.CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE);
    } catch (RuntimeException e) {
      abandon();
      throw e;
    }
  }

  @Override
  public String description() {
    return lt.toString();
  }

  @Override
  void multiply(Product p, long k, Operand a, Operand b, double beta) {
    shape.set(p, k, a, b, beta);
    MatmulPlan plan = plans.get(shape);
    if (plan == null) {
      plan = prepare(shape.copy(), a, b, p.c());
    }
    if (plan.possible()) {
      require(matmul(plan, a, b, p.c().address()), p, k);
    } else {
      spare().multiply(new Product(p.m(), p.n(), k, p.alpha(), a, b, null, beta, p.c(), p.batch()));
    }
  }

  private int matmul(MatmulPlan plan, Operand a, Operand b, long c) {
    return lt.matmul(
        handle,
        plan,
        alpha(),
        b.address(),
        a.address(),
        beta(),
        c,
        workspace(),
        WORKSPACE_BYTES,
        device().stream());
  }

  private MatmulPlan prepare(MatmulShape shape, Operand a, Operand b, Operand c) {
    MatmulPlan plan = new MatmulPlan(lt, shape, arena());
    List<byte[]> proposed;
    try {
      proposed = algorithms(plan, shape);
    } catch (CublasFailure e) {
      plan.close();
      throw new CublasFailure(e.getMessage() + " in " + description());
    }
    plans.put(shape, plan);
    if (proposed.isEmpty()) {
      tellOfSpare(shape);
      return plan;
    }
    byte[] kept = store.find(shape);
    if (kept != null && lt.canDo(handle, plan, kept, WORKSPACE_BYTES)) {
      plan.choose(kept);
    } else if (proposed.size() > 1
        && store.keeps()
        && shape.operations() >= FEWEST_OPERATIONS_TIMED
        && !device().recording()) {
      chooseFastest(plan, proposed, shape, a, b, c, kept);
    } else {
      plan.choose(proposed.getFirst());
    }
    return plan;
  }

  /** Aloud the first time. */
  private void tellOfSpare(MatmulShape shape) {
    LOG.log(
        toldOfSpare ? System.Logger.Level.DEBUG : System.Logger.Level.INFO,
        Text.format(
            "%s takes no product (%d,%d) by (%d,%d), batch %d, at this alignment; by %s instead",
            description(), shape.m(), shape.k(), shape.k(), shape.n(), shape.batch(), spare().description()));
    toldOfSpare = true;
  }

  private List<byte[]> algorithms(MatmulPlan plan, MatmulShape shape) {
    align(Vendor.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, shape.left());
    align(Vendor.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, shape.right());
    align(Vendor.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, shape.result());
    align(Vendor.CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, shape.result());
    return lt.algorithms(handle, plan, preference, MOST_ALGORITHMS);
  }

  private void align(int attribute, MatmulShape.Matrix matrix) {
    lt.setPreference(preference, attribute, matrix.alignment());
  }

  /** C is overwritten anyway where it is not read; otherwise a copy of it is. */
  private void chooseFastest(
      MatmulPlan plan,
      List<byte[]> proposed,
      MatmulShape shape,
      Operand a,
      Operand b,
      Operand c,
      byte[] refused) {
    long extent =
        ((shape.batch() - 1L) * c.batchStride() + (shape.m() - 1) * c.stride() + shape.n())
            * c.type().bytes();
    if (!shape.adds()) {
      plan.choose(store.put(shape, fastest(plan, proposed, a, b, c.address()), refused));
      return;
    }
    try {
      long copy = device().allocate(extent);
      device().copy(c.address(), copy, extent);
      plan.choose(store.put(shape, fastest(plan, proposed, a, b, copy), refused));
      device().free(copy);
    } catch (OutOfMemoryError noCopy) {
      plan.choose(proposed.getFirst());
    }
  }

  private byte[] fastest(
      MatmulPlan plan, List<byte[]> proposed, Operand a, Operand b, long target) {
    byte[] best = proposed.getFirst();
    double shortest = Double.POSITIVE_INFINITY;
    for (byte[] algorithm : proposed) {
      plan.choose(algorithm);
      if (matmul(plan, a, b, target) != Vendor.CUBLAS_STATUS_SUCCESS) {
        continue;
      }
      double seconds = stopwatch.seconds(() -> matmul(plan, a, b, target));
      if (seconds < shortest) {
        shortest = seconds;
        best = algorithm;
      }
    }
    return best;
  }

  @Override
  void release() {
    plans.values().forEach(MatmulPlan::close);
    lt.destroyPreference(preference);
    lt.destroy(handle);
  }
}
