package dev.lethe.backend.cuda;

import dev.lethe.backend.cuda.launch.Kernel;
import dev.lethe.backend.kernel.VectorKernels.AdamW;

/** What a step of AdamW does with every element; kernels/optimizer.cuh says how. */
record AdamWNumbers(
    float shrink, float rest1, float beta2, float rest2, float rate, float root, float epsilon) {
  static AdamWNumbers of(AdamW options, double learningRate, long step) {
    return new AdamWNumbers(
        (float) (1 - learningRate * options.weightDecay()),
        (float) (1 - options.beta1()),
        (float) options.beta2(),
        (float) (1 - options.beta2()),
        (float) (learningRate / (1 - Math.pow(options.beta1(), step))),
        (float) (1 / Math.sqrt(1 - Math.pow(options.beta2(), step))),
        (float) options.epsilon());
  }

  /** As the kernel's next seven parameters. */
  Kernel to(Kernel kernel) {
    return kernel.with(shrink).with(rest1).with(beta2).with(rest2).with(rate).with(root).with(epsilon);
  }
}
