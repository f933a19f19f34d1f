// attention_query_gradient.cuh warp by warp.
#include "attention_query_gradient.cuh"
#include "attention_warp.cuh"

#define EXPORT(D, SUFFIX, ALIGNED)                                                  \
  ATTENTION_QUERY_GRADIENT(D##SUFFIX, (128, 1), WarpProducts, D, ALIGNED) \
  ATTENTION_QUERY_GRADIENT_TANGENT(D##SUFFIX, (128, 1), WarpProducts, D, ALIGNED)

TILED_HEADS(EXPORT)
