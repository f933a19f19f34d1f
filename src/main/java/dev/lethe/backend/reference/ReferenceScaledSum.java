package dev.lethe.backend.reference;

import dev.lethe.backend.kernel.ScaledSumKernels;

/** y = c x + f. */
final class ReferenceScaledSum implements ScaledSumKernels {
  @Override
  public void apply(Apply call) {
    DoubleMatrix scaled = DoubleMatrix.of(call.x()).scaled(call.c());
    DoubleMatrix sum = call.f() == null ? scaled : scaled.plus(DoubleMatrix.of(call.f()));
    sum.store(call.y());
  }
}
