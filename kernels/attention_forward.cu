// attention_forward.cuh warp by warp.
#include "attention_forward.cuh"
#include "attention_warp.cuh"

#define EXPORT(D, SUFFIX, ALIGNED) ATTENTION_FORWARD(D##SUFFIX, (128, 1), WarpProducts, D, ALIGNED)

TILED_HEADS(EXPORT)
