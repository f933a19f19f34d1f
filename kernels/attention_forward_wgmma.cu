// attention_forward.cuh by warpgroups, for sm_90a. Rows begin at multiples of 16 bytes.
#include "attention_forward.cuh"
#include "attention_warpgroup.cuh"

ATTENTION_FORWARD(64_wgmma, (256, 2), WarpgroupProducts, 64, true)
ATTENTION_FORWARD(128_wgmma, (256, 1), WarpgroupProducts, 128, true)
