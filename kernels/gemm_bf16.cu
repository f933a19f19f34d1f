// Matrix products in bfloat16. See gemm.cuh.
#include "gemm_bf16.cuh"

GEMM_KERNELS(wide_bf16, WideBf16, bf16, bf16)
GEMM_KERNELS(wide_bf16_to_f32, WideBf16, bf16, float)
GEMM_KERNELS(square_bf16, SquareBf16, bf16, bf16)
GEMM_KERNELS(square_bf16_to_f32, SquareBf16, bf16, float)
