// A stand-in for libcublas.so.13 that multiplies on the host, for tests of the bindings: it refuses what the
// library refuses, and loses precision where the caller did not forbid it.
#include <set>

#include "products.h"

using namespace fake;

namespace {

enum Mathematics { DEFAULT_MATH = 0, DISALLOW_REDUCED_PRECISION_REDUCTION = 16 };

struct Handle {
  void* stream = nullptr;
  void* workspace = nullptr;
  size_t workspace_bytes = 0;
  int mathematics = DEFAULT_MATH;
};

std::set<const Handle*> live;

bool is_operation(int code) { return code == 0 || code == 1; }

Matrix matrix(int type, int64_t rows, int64_t columns, int operation, int leading, int64_t stride, int batch) {
  bool transposed = operation == 1;
  Matrix made;
  made.type = type;
  made.rows = transposed ? columns : rows;
  made.columns = transposed ? rows : columns;
  made.leading = leading;
  made.batch = batch;
  made.stride = stride;
  made.transposed = transposed;
  return made;
}

}  // namespace

EXPORT int cublasCreate_v2(Handle** handle) {
  if (setting("create") != 0) return static_cast<int>(setting("create"));
  *handle = new Handle();
  live.insert(*handle);
  counts["live"]++;
  return SUCCESS;
}

EXPORT int cublasDestroy_v2(Handle* handle) {
  if (live.erase(handle) == 0) return NOT_INITIALIZED;
  delete handle;
  counts["live"]--;
  return SUCCESS;
}

EXPORT int cublasGetVersion_v2(Handle* handle, int* version) {
  if (live.count(handle) == 0) return NOT_INITIALIZED;
  *version = static_cast<int>(setting("version"));
  return SUCCESS;
}

EXPORT int cublasSetStream_v2(Handle* handle, void* stream) {
  if (live.count(handle) == 0) return NOT_INITIALIZED;
  *handle = Handle{stream, nullptr, 0, handle->mathematics};  // as the library: the workspace is its own again
  return SUCCESS;
}

EXPORT int cublasSetWorkspace_v2(Handle* handle, void* workspace, size_t bytes) {
  if (live.count(handle) == 0) return NOT_INITIALIZED;
  if (!aligned(workspace, 256)) return INVALID_VALUE;
  handle->workspace = workspace;
  handle->workspace_bytes = bytes;
  return SUCCESS;
}

EXPORT int cublasSetMathMode(Handle* handle, int mode) {
  if (live.count(handle) == 0) return NOT_INITIALIZED;
  if ((mode & ~DISALLOW_REDUCED_PRECISION_REDUCTION) > 3) return INVALID_VALUE;
  handle->mathematics = mode;
  return SUCCESS;
}

EXPORT int cublasSetAtomicsMode(Handle* handle, int mode) {
  if (live.count(handle) == 0) return NOT_INITIALIZED;
  return mode == 0 ? SUCCESS : INVALID_VALUE;
}

EXPORT int cublasGemmStridedBatchedEx(Handle* handle, int transa, int transb, int m, int n, int k, const float* alpha,
                                      const void* pa, int atype, int lda, long long stride_a, const void* pb, int btype,
                                      int ldb, long long stride_b, const float* beta, void* pc, int ctype, int ldc,
                                      long long stride_c, int batch, int compute, int algorithm) {
  if (live.count(handle) == 0) return NOT_INITIALIZED;
  counts["matmuls"]++;
  counts["stream"] = reinterpret_cast<int64_t>(handle->stream);
  if (setting("matmul") != 0) return static_cast<int>(setting("matmul"));
  if (!is_operation(transa) || !is_operation(transb) || m < 0 || n < 0 || k < 0) return INVALID_VALUE;
  if (compute != COMPUTE_32F && compute != COMPUTE_32F_PEDANTIC) return NOT_SUPPORTED;
  Matrix a = matrix(atype, m, k, transa, lda, stride_a, batch);
  Matrix b = matrix(btype, k, n, transb, ldb, stride_b, batch);
  Matrix c = matrix(ctype, m, n, 0, ldc, stride_c, batch);
  if (!fits(a, b, c) || algorithm != -1) return INVALID_VALUE;
  if (!aligned(pa, element_bytes(atype)) || !aligned(pb, element_bytes(btype)) || !aligned(pc, element_bytes(ctype))) {
    return INVALID_VALUE;
  }
  if (handle->workspace != nullptr) std::memset(handle->workspace, 0xab, std::min<size_t>(4096, handle->workspace_bytes));
  Manner manner;
  // The library's own workspace is another for each call; that shows as another order of the sum.
  manner.order = handle->workspace == nullptr ? counts["matmuls"] % 3 : 0;
  manner.tf32 = atype == R_32F && compute != COMPUTE_32F_PEDANTIC;
  manner.narrow_sums = (handle->mathematics & DISALLOW_REDUCED_PRECISION_REDUCTION) == 0;
  manner.wrong = is_wrong(a, pa, b, pb, c, *beta);
  multiply(a, pa, b, pb, c, pc, *alpha, *beta, manner);
  return SUCCESS;
}

EXPORT int cublasGemmEx(Handle* handle, int transa, int transb, int m, int n, int k, const float* alpha, const void* pa,
                        int atype, int lda, const void* pb, int btype, int ldb, const float* beta, void* pc, int ctype,
                        int ldc, int compute, int algorithm) {
  return cublasGemmStridedBatchedEx(handle, transa, transb, m, n, k, alpha, pa, atype, lda, 0, pb, btype, ldb, 0, beta,
                                    pc, ctype, ldc, 0, 1, compute, algorithm);
}
