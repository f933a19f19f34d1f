package dev.lethe.backend.cuda.blas;

import static dev.lethe.backend.cuda.blas.VendorLibrary.INT;
import static dev.lethe.backend.cuda.blas.VendorLibrary.LONG;
import static dev.lethe.backend.cuda.blas.VendorLibrary.POINTER;
import static dev.lethe.backend.cuda.blas.VendorLibrary.call;

import dev.lethe.Text;
import dev.lethe.backend.cuda.driver.Device;
import dev.lethe.tensor.DType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** Products by cuBLAS through the JDK's FFM API; the library chooses the algorithms. */
final class CublasProducts extends LibraryProducts {
  private final Functions cublas;
  private final long handle;
  private final String description;

  CublasProducts(Functions cublas, Device device, Products spare) {
    super(device, spare);
    this.cublas = cublas;
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment place = scratch.allocate(ValueLayout.JAVA_LONG);
      CublasFailure.require(call(cublas.create, place.address()), "cublasCreate");
      handle = place.get(ValueLayout.JAVA_LONG, 0);
      CublasFailure.require(call(cublas.getVersion, handle, place.address()), "cublasGetVersion");
      description =
          Text.format(
              "cuBLAS %s (%s)",
              versionText(place.get(ValueLayout.JAVA_INT, 0)), cublas.library.place());
      CublasFailure.require(call(cublas.setStream, handle, device.stream()), "cublasSetStream");
      CublasFailure.require(
          call(cublas.setWorkspace, handle, workspace(), WORKSPACE_BYTES), "cublasSetWorkspace");
      CublasFailure.require(call(cublas.setMathMode, handle, MATH_MODE), "cublasSetMathMode");
      CublasFailure.require(
          call(cublas.setAtomicsMode, handle, Vendor.CUBLAS_ATOMICS_NOT_ALLOWED),
          "cublasSetAtomicsMode");
    } catch (RuntimeException e) {
      abandon();
      throw e;
    }
  }

  /** The library's functions; making one throws UnsatisfiedLinkError where one is missing. */
  static final class Functions {
    private final VendorLibrary library;
    private final MethodHandle create;
    private final MethodHandle destroy;
    private final MethodHandle getVersion;
    private final MethodHandle setStream;
    private final MethodHandle setWorkspace;
    private final MethodHandle setMathMode;
    private final MethodHandle setAtomicsMode;
    private final MethodHandle gemm;
    private final MethodHandle gemmBatched;

    Functions(VendorLibrary library) {
      this.library = library;
      create = library.function("cublasCreate_v2", POINTER);
      destroy = library.function("cublasDestroy_v2", POINTER);
      getVersion = library.function("cublasGetVersion_v2", POINTER, POINTER);
      setStream = library.function("cublasSetStream_v2", POINTER, POINTER);
      setWorkspace = library.function("cublasSetWorkspace_v2", POINTER, POINTER, LONG);
      setMathMode = library.function("cublasSetMathMode", POINTER, INT);
      setAtomicsMode = library.function("cublasSetAtomicsMode", POINTER, INT);
      gemm =
          library.function(
              "cublasGemmEx",
              POINTER, INT, INT, INT, INT, INT, POINTER, POINTER, INT, INT, POINTER, INT, INT,
              POINTER, POINTER, INT, INT, INT, INT);
      gemmBatched =
          library.function(
              "cublasGemmStridedBatchedEx",
              POINTER, INT, INT, INT, INT, INT, POINTER, POINTER, INT, INT, LONG, POINTER, INT,
              INT, LONG, POINTER, POINTER, INT, INT, LONG, INT, INT, INT);
    }

    /** The library without its exact version, for which it must be started. */
    @Override
    public String toString() {
      return Text.format("cuBLAS %d (%s)", library.major(), library.place());
    }
  }

  @Override
  public String description() {
    return description;
  }

  @Override
  void multiply(Product p, long k, Operand a, Operand b, double beta) {
    require(p.batch() == 1 ? one(p, k, a, b) : batched(p, k, a, b), p, k);
  }

  private int one(Product p, long k, Operand a, Operand b) {
    try {
      return (int)
          cublas.gemm.invokeExact(
              handle,
              operation(b),
              operation(a),
              (int) p.n(),
              (int) p.m(),
              (int) k,
              alpha(),
              b.address(),
              type(b.type()),
              leadingB(p, k, b),
              a.address(),
              type(a.type()),
              leadingA(p, k, a),
              beta(),
              p.c().address(),
              type(p.c().type()),
              leadingC(p),
              computeType(a.type()),
              Vendor.CUBLAS_GEMM_DEFAULT);
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  private int batched(Product p, long k, Operand a, Operand b) {
    DType type = a.type();
    try {
      return (int)
          cublas.gemmBatched.invokeExact(
              handle,
              operation(b),
              operation(a),
              (int) p.n(),
              (int) p.m(),
              (int) k,
              alpha(),
              b.address(),
              type(type),
              leadingB(p, k, b),
              b.batchStride(),
              a.address(),
              type(type),
              leadingA(p, k, a),
              a.batchStride(),
              beta(),
              p.c().address(),
              type(p.c().type()),
              leadingC(p),
              p.c().batchStride(),
              (int) p.batch(),
              computeType(type),
              Vendor.CUBLAS_GEMM_DEFAULT);
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  @Override
  void release() {
    call(cublas.destroy, handle);
  }
}
