package dev.lethe.backend.cuda.blas;

import static dev.lethe.backend.cuda.blas.VendorLibrary.INT;
import static dev.lethe.backend.cuda.blas.VendorLibrary.LONG;
import static dev.lethe.backend.cuda.blas.VendorLibrary.POINTER;
import static dev.lethe.backend.cuda.blas.VendorLibrary.call;

import dev.lethe.Text;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.List;

/** The functions of cuBLASLt that products need, by the JDK's FFM API. */
final class CublasLt {
  /** Bytes of a cublasLtMatmulAlgo_t, which may be copied and kept as they are. */
  static final int ALGORITHM_BYTES = 64;

  /** Of cublasLtMatmulHeuristicResult_t: the algorithm, its workspace, whether it may be used. */
  private static final int RESULT_BYTES = 96;

  private static final int RESULT_WORKSPACE = 64;
  private static final int RESULT_STATE = 72;

  private final VendorLibrary library;
  private final MethodHandle create;
  private final MethodHandle destroy;
  private final MethodHandle version;
  private final MethodHandle createOperation;
  private final MethodHandle destroyOperation;
  private final MethodHandle setOperation;
  private final MethodHandle createLayout;
  private final MethodHandle destroyLayout;
  private final MethodHandle setLayout;
  private final MethodHandle createPreference;
  private final MethodHandle destroyPreference;
  private final MethodHandle setPreference;
  private final MethodHandle heuristic;
  private final MethodHandle check;
  private final MethodHandle matmul;

  /** Throws UnsatisfiedLinkError where a function is missing. */
  CublasLt(VendorLibrary library) {
    this.library = library;
    create = library.function("cublasLtCreate", POINTER);
    destroy = library.function("cublasLtDestroy", POINTER);
    version = library.bind("cublasLtGetVersion", FunctionDescriptor.of(LONG));
    createOperation = library.function("cublasLtMatmulDescCreate", POINTER, INT, INT);
    destroyOperation = library.function("cublasLtMatmulDescDestroy", POINTER);
    setOperation = library.function("cublasLtMatmulDescSetAttribute", POINTER, INT, POINTER, LONG);
    createLayout = library.function("cublasLtMatrixLayoutCreate", POINTER, INT, LONG, LONG, LONG);
    destroyLayout = library.function("cublasLtMatrixLayoutDestroy", POINTER);
    setLayout = library.function("cublasLtMatrixLayoutSetAttribute", POINTER, INT, POINTER, LONG);
    createPreference = library.function("cublasLtMatmulPreferenceCreate", POINTER);
    destroyPreference = library.function("cublasLtMatmulPreferenceDestroy", POINTER);
    setPreference =
        library.function("cublasLtMatmulPreferenceSetAttribute", POINTER, INT, POINTER, LONG);
    heuristic =
        library.function(
            "cublasLtMatmulAlgoGetHeuristic",
            POINTER, POINTER, POINTER, POINTER, POINTER, POINTER, POINTER, INT, POINTER, POINTER);
    check =
        library.function(
            "cublasLtMatmulAlgoCheck",
            POINTER, POINTER, POINTER, POINTER, POINTER, POINTER, POINTER, POINTER);
    matmul =
        library.function(
            "cublasLtMatmul",
            POINTER, POINTER, POINTER, POINTER, POINTER, POINTER, POINTER, POINTER, POINTER,
            POINTER, POINTER, POINTER, POINTER, POINTER, LONG, POINTER);
  }

  /** As in {@code cuBLASLt 13.1.1 (/usr/local/cuda/lib64/libcublasLt.so.13)}. */
  @Override
  public String toString() {
    return Text.format("cuBLASLt %s (%s)", LibraryProducts.versionText(version()), library.place());
  }

  /** 10,000 major + 100 minor + patch. */
  long version() {
    try {
      return (long) version.invokeExact();
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  /** A handle for the current context. */
  long create() {
    return made("cublasLtCreate", create);
  }

  void destroy(long handle) {
    call(destroy, handle);
  }

  long createOperation(int computeType, int scaleType) {
    return made("cublasLtMatmulDescCreate", createOperation, computeType, scaleType);
  }

  void destroyOperation(long operation) {
    call(destroyOperation, operation);
  }

  void setOperation(long operation, int attribute, int value) {
    set(setOperation, operation, attribute, value, Integer.BYTES);
  }

  /** A matrix in column-major order. */
  long createLayout(int type, long rows, long columns, long stride) {
    return made("cublasLtMatrixLayoutCreate", createLayout, type, rows, columns, stride);
  }

  void destroyLayout(long layout) {
    call(destroyLayout, layout);
  }

  void setBatch(long layout, int count, long stride) {
    set(setLayout, layout, Vendor.CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, count, Integer.BYTES);
    set(
        setLayout,
        layout,
        Vendor.CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
        stride,
        Long.BYTES);
  }

  long createPreference() {
    return made("cublasLtMatmulPreferenceCreate", createPreference);
  }

  void destroyPreference(long preference) {
    call(destroyPreference, preference);
  }

  void setPreference(long preference, int attribute, int value) {
    set(setPreference, preference, attribute, value, Integer.BYTES);
  }

  void setMostWorkspace(long preference, long bytes) {
    int attribute = Vendor.CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
    set(setPreference, preference, attribute, bytes, Long.BYTES);
  }

  /**
   * What the library thinks best, best first; empty where it cannot do this product. Throws {@link CublasFailure}
   * where it does not say.
   *
   * @param plan its descriptors
   */
  List<byte[]> algorithms(long handle, MatmulPlan plan, long preference, int most) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment results = arena.allocate((long) most * RESULT_BYTES, Long.BYTES);
      MemorySegment count = arena.allocate(ValueLayout.JAVA_INT);
      int status =
          call(
              heuristic,
              handle,
              plan.operation(),
              plan.left(),
              plan.right(),
              plan.result(),
              plan.result(),
              preference,
              most,
              results.address(),
              count.address());
      List<byte[]> found = new ArrayList<>();
      if (status == Vendor.CUBLAS_STATUS_NOT_SUPPORTED) {
        return found;
      }
      CublasFailure.require(status, "asking for algorithms");
      for (int i = 0; i < count.get(ValueLayout.JAVA_INT, 0); i++) {
        MemorySegment result = results.asSlice((long) i * RESULT_BYTES, RESULT_BYTES);
        if (result.get(ValueLayout.JAVA_INT, RESULT_STATE) == Vendor.CUBLAS_STATUS_SUCCESS) {
          found.add(result.asSlice(0, ALGORITHM_BYTES).toArray(ValueLayout.JAVA_BYTE));
        }
      }
      return found;
    }
  }

  /** Whether an algorithm can do a product within so much workspace. */
  boolean canDo(long handle, MatmulPlan plan, byte[] algorithm, long workspaceBytes) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment result = arena.allocate(RESULT_BYTES, Long.BYTES);
      MemorySegment bytes = arena.allocate(ALGORITHM_BYTES, Long.BYTES);
      bytes.copyFrom(MemorySegment.ofArray(algorithm));
      int status =
          call(
              check,
              handle,
              plan.operation(),
              plan.left(),
              plan.right(),
              plan.result(),
              plan.result(),
              bytes.address(),
              result.address());
      return status == Vendor.CUBLAS_STATUS_SUCCESS
          && Long.compareUnsigned(result.get(ValueLayout.JAVA_LONG, RESULT_WORKSPACE), workspaceBytes)
              <= 0;
    }
  }

  /** Queues C = alpha·left·right + beta·C, column-major; alpha and beta are addresses on the host. */
  int matmul(
      long handle,
      MatmulPlan plan,
      long alpha,
      long left,
      long right,
      long beta,
      long c,
      long workspace,
      long workspaceBytes,
      long stream) {
    try {
      return (int)
          matmul.invokeExact(
              handle,
              plan.operation(),
              alpha,
              left,
              plan.left(),
              right,
              plan.right(),
              beta,
              c,
              plan.result(),
              c,
              plan.result(),
              plan.algorithm(),
              workspace,
              workspaceBytes,
              stream);
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  /** Calls a function whose first argument is where it puts what it makes. */
  private long made(String name, MethodHandle function, Object... rest) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment place = arena.allocate(ValueLayout.JAVA_LONG);
      Object[] all = new Object[rest.length + 1];
      all[0] = place.address();
      System.arraycopy(rest, 0, all, 1, rest.length);
      CublasFailure.require(call(function, all), name);
      return place.get(ValueLayout.JAVA_LONG, 0);
    }
  }

  private static void set(
      MethodHandle setter, long descriptor, int attribute, long value, long bytes) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment place = arena.allocate(ValueLayout.JAVA_LONG);
      if (bytes == Integer.BYTES) {
        place.set(ValueLayout.JAVA_INT, 0, (int) value);
      } else {
        place.set(ValueLayout.JAVA_LONG, 0, value);
      }
      int status = call(setter, descriptor, attribute, place.address(), bytes);
      CublasFailure.require(status, "setting attribute " + attribute);
    }
  }
}
