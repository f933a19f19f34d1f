// Matrix products in bfloat16 with few rows or few columns: the adapters'. See gemm.cuh.
#include "gemm_bf16.cuh"

GEMM_KERNELS(flat_bf16, FlatBf16, bf16, bf16)
GEMM_KERNELS(flat_bf16_to_f32, FlatBf16, bf16, float)
GEMM_KERNELS(tall_bf16, TallBf16, bf16, bf16)
GEMM_KERNELS(tall_bf16_to_f32, TallBf16, bf16, float)
