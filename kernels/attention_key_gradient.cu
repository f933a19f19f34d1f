// attention_key_gradient.cuh warp by warp.
#include "attention_key_gradient.cuh"
#include "attention_warp.cuh"

#define EXPORT(D, SUFFIX, ALIGNED)                                                  \
  ATTENTION_KEY_GRADIENT(D##SUFFIX, (128, 1), WarpProducts, D, ALIGNED) \
  ATTENTION_KEY_GRADIENT_TANGENT(D##SUFFIX, (128, 1), WarpProducts, D, ALIGNED)

TILED_HEADS(EXPORT)
