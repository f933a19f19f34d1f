package dev.lethe.backend.cuda.blas;

import dev.lethe.Text;
import dev.lethe.backend.cuda.driver.Device;
import dev.lethe.backend.cuda.driver.JCudaDevice;
import dev.lethe.backend.cuda.driver.JCudaLibraries;
import jcuda.Pointer;
import jcuda.driver.CUstream;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasHandle;
import jcuda.runtime.cudaStream_t;

/**
 * Products by JCublas, which needs cuBLAS 12: its native library asks for {@code libcublas.so.12} by name and
 * finds the one that {@link CublasLibraries} has loaded, wherever that lies.
 *
 * <p>JCublas's {@code cublasGemmEx} still takes the compute type of CUDA 10 and maps it by the math mode;
 * {@code cublasGemmEx_new} is the function of today.
 */
final class JCublasProducts extends LibraryProducts {
  private final cublasHandle handle = new cublasHandle();
  private final Pointer alpha = new Address(alpha());
  private final Pointer beta = new Address(beta());
  private final String description;

  JCublasProducts(VendorLibrary library, Device device, Products spare) {
    super(device, spare);
    try {
      load();
      CublasFailure.require(JCublas2.cublasCreate(handle), "cublasCreate");
      int[] version = new int[1];
      CublasFailure.require(JCublas2.cublasGetVersion(handle, version), "cublasGetVersion");
      description =
          Text.format("JCublas with cuBLAS %s (%s)", versionText(version[0]), library.place());
      CUstream stream = device instanceof JCudaDevice gpu ? gpu.cuStream() : new CUstream();
      CublasFailure.require(JCublas2.cublasSetStream(handle, new cudaStream_t(stream)), "cublasSetStream");
      CublasFailure.require(
          JCublas2.cublasSetWorkspace(handle, new Address(workspace()), WORKSPACE_BYTES),
          "cublasSetWorkspace");
      CublasFailure.require(JCublas2.cublasSetMathMode(handle, MATH_MODE), "cublasSetMathMode");
      CublasFailure.require(
          JCublas2.cublasSetAtomicsMode(handle, Vendor.CUBLAS_ATOMICS_NOT_ALLOWED),
          "cublasSetAtomicsMode");
    } catch (RuntimeException | LinkageError e) {
      abandon();
      throw e;
    }
  }

  /** Loads JCublas's native library. */
  static void load() {
    JCudaLibraries.initialize(JCublas2.class, "JCublas2");
  }

  /** A pointer of this value; JCuda makes none of a number. */
  private static final class Address extends Pointer {
    Address(long address) {
      super(address);
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
    return JCublas2.cublasGemmEx_new(
        handle,
        operation(b),
        operation(a),
        (int) p.n(),
        (int) p.m(),
        (int) k,
        alpha,
        new Address(b.address()),
        type(b.type()),
        leadingB(p, k, b),
        new Address(a.address()),
        type(a.type()),
        leadingA(p, k, a),
        beta,
        new Address(p.c().address()),
        type(p.c().type()),
        leadingC(p),
        computeType(a.type()),
        Vendor.CUBLAS_GEMM_DEFAULT);
  }

  private int batched(Product p, long k, Operand a, Operand b) {
    return JCublas2.cublasGemmStridedBatchedEx_new(
        handle,
        operation(b),
        operation(a),
        (int) p.n(),
        (int) p.m(),
        (int) k,
        alpha,
        new Address(b.address()),
        type(b.type()),
        leadingB(p, k, b),
        b.batchStride(),
        new Address(a.address()),
        type(a.type()),
        leadingA(p, k, a),
        a.batchStride(),
        beta,
        new Address(p.c().address()),
        type(p.c().type()),
        leadingC(p),
        p.c().batchStride(),
        (int) p.batch(),
        computeType(a.type()),
        Vendor.CUBLAS_GEMM_DEFAULT);
  }

  @Override
  void release() {
    JCublas2.cublasDestroy(handle);
  }
}
