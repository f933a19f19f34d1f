// Matrix products in float32. See gemm.cuh.
#include "gemm_f32.cuh"

GEMM_KERNELS(square_f32, SquareF32, float, float)
GEMM_KERNELS(flat_f32, FlatF32, float, float)
GEMM_KERNELS(tall_f32, TallF32, float, float)
