package dev.lethe.backend.cuda.driver;

import java.lang.foreign.MemorySegment;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUfunction;
import jcuda.driver.CUstream;

/**
 * JCuda's handles with their numbers. JCuda keeps them protected; subclasses may read and, for memory, set
 * them.
 */
final class Handles {
  private Handles() {}

  /** A stream. */
  static final class Stream extends CUstream {
    long number() {
      return getNativePointer();
    }
  }

  /** A kernel. */
  static final class Function extends CUfunction {
    long number() {
      return getNativePointer();
    }
  }

  /** Device memory. */
  static final class DeviceMemory extends CUdeviceptr {
    /** To be filled in by the driver. */
    DeviceMemory() {}

    DeviceMemory(long address) {
      super(new CUdeviceptr(), address);
    }

    long address() {
      return getNativePointer();
    }
  }

  /** Host memory outside the Java heap. */
  static final class HostMemory extends Pointer {
    /** To be filled in by the driver. */
    HostMemory() {}

    HostMemory(MemorySegment segment) {
      super(segment.address());
    }

    MemorySegment segment(long bytes) {
      return MemorySegment.ofAddress(getNativePointer()).reinterpret(bytes);
    }
  }
}
