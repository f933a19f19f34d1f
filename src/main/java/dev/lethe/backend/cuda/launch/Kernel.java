package dev.lethe.backend.cuda.launch;

import dev.lethe.backend.cuda.driver.Device;
import dev.lethe.backend.cuda.driver.Grid;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * An exported kernel and the block of native memory that its arguments are written to, one launch after
 * another: {@code kernel.with(a).with(h).with(n).run(grid)}.
 */
public final class Kernel {
  private static final int SLOT = Long.BYTES;
  private static final int MOST_PARAMETERS = 32;

  private final Device device;
  private final String name;
  private final long handle;
  private final MemorySegment values;
  private final MemorySegment pointers;
  private int count;

  Kernel(Device device, String name, Arena arena) {
    this.device = device;
    this.name = name;
    handle = device.kernel(name);
    values = arena.allocate(MOST_PARAMETERS * SLOT, SLOT);
    pointers = arena.allocate(MOST_PARAMETERS * SLOT, SLOT);
    for (int i = 0; i < MOST_PARAMETERS; i++) {
      pointers.setAtIndex(ValueLayout.JAVA_LONG, i, values.address() + (long) i * SLOT);
    }
  }

  /** A pointer parameter; null for a null tensor. */
  public Kernel with(Tensor tensor) {
    return with(tensor == null ? 0 : Cuda.address(tensor));
  }

  /** An int64_t parameter, or a pointer parameter by address. */
  public Kernel with(long value) {
    values.setAtIndex(ValueLayout.JAVA_LONG, count++, value);
    return this;
  }

  /** A float parameter. */
  public Kernel with(float value) {
    values.set(ValueLayout.JAVA_FLOAT, (long) count++ * SLOT, value);
    return this;
  }

  /** Queues the launch; the next one starts with no arguments. */
  public void run(Grid grid) {
    count = 0;
    device.launch(handle, grid, pointers);
  }

  @Override
  public String toString() {
    return name;
  }
}
