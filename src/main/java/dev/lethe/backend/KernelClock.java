package dev.lethe.backend;

import dev.lethe.backend.kernel.KernelCost;
import java.util.List;

/** Takes the times of kernels. */
public interface KernelClock {
  /**
   * Runs a call of a kernel and notes its time.
   *
   * @param call group and mode
   */
  void time(String call, KernelCost cost, Runnable work);

  /** Times since the last call of this, added up by kernel. */
  List<KernelTime> take();
}
