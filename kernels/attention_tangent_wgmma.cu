// attention_tangent.cuh by warpgroups, for sm_90a. Rows begin at multiples of 16 bytes.
#include "attention_tangent.cuh"
#include "attention_warpgroup.cuh"

ATTENTION_TANGENT(64_wgmma, (256, 2), WarpgroupProducts, 64, true)
ATTENTION_TANGENT(128_wgmma, (256, 1), WarpgroupProducts, 128, true)
