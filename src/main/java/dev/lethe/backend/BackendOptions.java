package dev.lethe.backend;

import dev.lethe.tensor.DType;

/**
 * @param threads worker threads of a CPU backend; 0: one per processor
 * @param type the format of activations, for a backend that has a choice; null: its own
 * @param device which of several devices of a kind, from 0; negative: the backend's own choice
 * @param timed whether to time every kernel, for {@link Backend#takeKernelTimes}; costs some speed
 */
public record BackendOptions(int threads, DType type, int device, boolean timed) {
  public static final BackendOptions DEFAULT = new BackendOptions(0);

  /** All else as by default. */
  public BackendOptions(int threads) {
    this(threads, null, -1);
  }

  /** Not timed. */
  public BackendOptions(int threads, DType type, int device) {
    this(threads, type, device, false);
  }

  /** The same with another device. */
  public BackendOptions withDevice(int index) {
    return new BackendOptions(threads, type, index, timed);
  }
}
