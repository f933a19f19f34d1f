package dev.lethe.backend.cpu;

import dev.lethe.backend.Backend;

/** What the CPU backend's threads keep between kernels, for tests of the layers above. */
public final class ScratchMemory {
  private ScratchMemory() {}

  /** Bytes that the threads of a backend hold; 0 for other backends than the CPU's. */
  public static long bytes(Backend backend) {
    return backend instanceof CpuBackend cpu ? cpu.scratchBytes() : 0;
  }
}
