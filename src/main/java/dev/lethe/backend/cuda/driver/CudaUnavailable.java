package dev.lethe.backend.cuda.driver;

import dev.lethe.backend.EnvironmentException;

/** Why CUDA cannot be used here, and the one line that would help. */
public final class CudaUnavailable extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final boolean gpuPresent;
  private final String remedy;

  /**
   * @param gpuPresent whether there is a GPU at all
   * @param detail the cause, one clause
   * @param remedy one sentence; null where nothing would help
   */
  CudaUnavailable(boolean gpuPresent, String detail, String remedy) {
    super(detail);
    this.gpuPresent = gpuPresent;
    this.remedy = remedy;
  }

  /** Whether there is a GPU, which its owner would expect to be used. */
  public boolean gpuPresent() {
    return gpuPresent;
  }

  /** The same for whoever asked for this device. */
  public EnvironmentException error(String where) {
    return new EnvironmentException(
        where, getMessage(), remedy == null ? "Choose another --device." : remedy);
  }

  /** What would help; null where nothing would. */
  public String remedy() {
    return remedy;
  }
}
