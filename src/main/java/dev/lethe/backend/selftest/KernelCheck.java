package dev.lethe.backend.selftest;

/**
 * One mode of one kernel.
 *
 * @param kernel as in {@code attention}
 * @param mode as in {@code backward}
 * @param call makes the call on a stage, whose shapes follow from the round number
 */
record KernelCheck(String kernel, String mode, Call call) {
  /** A kernel call at one of several shapes. */
  @FunctionalInterface
  interface Call {
    void on(Stage stage, int round);
  }

  static KernelCheck of(String kernel, String mode, Call call) {
    return new KernelCheck(kernel, mode, call);
  }
}
