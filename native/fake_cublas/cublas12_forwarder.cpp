// A libcublas.so.12 that hands the calls which Lethe makes through JCublas to libcublas.so.13, so that JCublas,
// which is linked to version 12, can be seen running where only CUDA 13 is. For tests; the cublaslt way needs none.
// libcublas.so.13 is taken where the environment variable LETHE_CUBLAS13 says, beside this file, or from the
// system's library path.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

namespace {

void* target(const char* name) {
  static void* library = [] {
    const char* place = std::getenv("LETHE_CUBLAS13");
    void* opened = dlopen(place == nullptr ? "libcublas.so.13" : place, RTLD_NOW | RTLD_LOCAL);
    if (opened == nullptr) std::fprintf(stderr, "cuBLAS forwarder: %s\n", dlerror());
    return opened;
  }();
  return library == nullptr ? nullptr : dlsym(library, name);
}

const int NOT_INITIALIZED = 1;

}  // namespace

// A function of this name that jumps to the one in version 13.
#define FORWARD(name, parameters, arguments)                                              \
  extern "C" __attribute__((visibility("default"))) int name parameters {                 \
    static auto function = reinterpret_cast<int(*) parameters>(target(#name));            \
    return function == nullptr ? NOT_INITIALIZED : function arguments;                    \
  }

FORWARD(cublasCreate_v2, (void** handle), (handle))
FORWARD(cublasDestroy_v2, (void* handle), (handle))
FORWARD(cublasGetVersion_v2, (void* handle, int* version), (handle, version))
FORWARD(cublasSetStream_v2, (void* handle, void* stream), (handle, stream))
FORWARD(cublasSetWorkspace_v2, (void* handle, void* workspace, size_t bytes), (handle, workspace, bytes))
FORWARD(cublasSetMathMode, (void* handle, int mode), (handle, mode))
FORWARD(cublasSetAtomicsMode, (void* handle, int mode), (handle, mode))
FORWARD(cublasGemmEx,
        (void* handle, int transa, int transb, int m, int n, int k, const void* alpha, const void* a, int atype, int lda,
         const void* b, int btype, int ldb, const void* beta, void* c, int ctype, int ldc, int compute, int algorithm),
        (handle, transa, transb, m, n, k, alpha, a, atype, lda, b, btype, ldb, beta, c, ctype, ldc, compute, algorithm))
FORWARD(cublasGemmStridedBatchedEx,
        (void* handle, int transa, int transb, int m, int n, int k, const void* alpha, const void* a, int atype, int lda,
         long long stride_a, const void* b, int btype, int ldb, long long stride_b, const void* beta, void* c, int ctype,
         int ldc, long long stride_c, int batch, int compute, int algorithm),
        (handle, transa, transb, m, n, k, alpha, a, atype, lda, stride_a, b, btype, ldb, stride_b, beta, c, ctype, ldc,
         stride_c, batch, compute, algorithm))
