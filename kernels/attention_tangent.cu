// attention_tangent.cuh warp by warp.
#include "attention_tangent.cuh"
#include "attention_warp.cuh"

#define EXPORT(D, SUFFIX, ALIGNED) ATTENTION_TANGENT(D##SUFFIX, (128, 1), WarpProducts, D, ALIGNED)

TILED_HEADS(EXPORT)
