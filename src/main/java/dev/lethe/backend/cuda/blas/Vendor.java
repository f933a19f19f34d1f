package dev.lethe.backend.cuda.blas;

import java.util.Map;

/** Constants of cublas_api.h, cublasLt.h and library_types.h, under the names that they have there. */
final class Vendor {
  static final int CUDA_R_32F = 0;
  static final int CUDA_R_16BF = 14;

  static final int CUBLAS_STATUS_SUCCESS = 0;
  static final int CUBLAS_STATUS_NOT_INITIALIZED = 1;
  static final int CUBLAS_STATUS_ALLOC_FAILED = 3;
  static final int CUBLAS_STATUS_INVALID_VALUE = 7;
  static final int CUBLAS_STATUS_ARCH_MISMATCH = 8;
  static final int CUBLAS_STATUS_MAPPING_ERROR = 11;
  static final int CUBLAS_STATUS_EXECUTION_FAILED = 13;
  static final int CUBLAS_STATUS_INTERNAL_ERROR = 14;
  static final int CUBLAS_STATUS_NOT_SUPPORTED = 15;
  static final int CUBLAS_STATUS_LICENSE_ERROR = 16;

  static final int CUBLAS_OP_N = 0;
  static final int CUBLAS_OP_T = 1;
  static final int CUBLAS_COMPUTE_32F = 68;
  static final int CUBLAS_COMPUTE_32F_PEDANTIC = 69;
  static final int CUBLAS_GEMM_DEFAULT = -1;
  static final int CUBLAS_DEFAULT_MATH = 0;
  static final int CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION = 16;
  static final int CUBLAS_ATOMICS_NOT_ALLOWED = 0;

  static final int CUBLASLT_MATMUL_DESC_TRANSA = 3;
  static final int CUBLASLT_MATMUL_DESC_TRANSB = 4;
  static final int CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT = 5;
  static final int CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET = 6;
  static final int CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1;
  static final int CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK = 3;
  static final int CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES = 5;
  static final int CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES = 6;
  static final int CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES = 7;
  static final int CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES = 8;
  static final int CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE = 2;

  private static final Map<Integer, String> STATUS =
      Map.of(
          CUBLAS_STATUS_NOT_INITIALIZED, "CUBLAS_STATUS_NOT_INITIALIZED",
          CUBLAS_STATUS_ALLOC_FAILED, "CUBLAS_STATUS_ALLOC_FAILED",
          CUBLAS_STATUS_INVALID_VALUE, "CUBLAS_STATUS_INVALID_VALUE",
          CUBLAS_STATUS_ARCH_MISMATCH, "CUBLAS_STATUS_ARCH_MISMATCH",
          CUBLAS_STATUS_MAPPING_ERROR, "CUBLAS_STATUS_MAPPING_ERROR",
          CUBLAS_STATUS_EXECUTION_FAILED, "CUBLAS_STATUS_EXECUTION_FAILED",
          CUBLAS_STATUS_INTERNAL_ERROR, "CUBLAS_STATUS_INTERNAL_ERROR",
          CUBLAS_STATUS_NOT_SUPPORTED, "CUBLAS_STATUS_NOT_SUPPORTED",
          CUBLAS_STATUS_LICENSE_ERROR, "CUBLAS_STATUS_LICENSE_ERROR");

  private Vendor() {}

  /** As in {@code CUBLAS_STATUS_NOT_SUPPORTED (15)}. */
  static String statusName(int status) {
    return STATUS.getOrDefault(status, "cuBLAS status") + " (" + status + ")";
  }
}
