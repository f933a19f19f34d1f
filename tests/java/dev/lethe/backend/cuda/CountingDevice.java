package dev.lethe.backend.cuda;

import dev.lethe.backend.cuda.driver.Device;
import dev.lethe.backend.cuda.driver.Grid;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** An H200 that has no memory and runs nothing, but counts what it is asked to launch. Downloads are zeros. */
final class CountingDevice implements Device {
  private static final long ALIGNMENT = 256;

  private final List<String> kernels = new ArrayList<>();
  private final Map<String, Grid> latest = new HashMap<>();
  private long next = ALIGNMENT;
  private long launches;

  /** Launches since the last call. */
  long takeLaunches() {
    long taken = launches;
    launches = 0;
    return taken;
  }

  /** The shape of a kernel's latest launch; null: there was none. */
  Grid latest(String kernel) {
    return latest.get(kernel);
  }

  @Override
  public String place() {
    return "nowhere";
  }

  @Override
  public String description() {
    return "an idle device";
  }

  @Override
  public int multiprocessors() {
    return 132;
  }

  @Override
  public int sharedMemory() {
    return 232_448;
  }

  @Override
  public long stream() {
    return 0;
  }

  @Override
  public long allocate(long bytes) {
    long address = next;
    next += Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT;
    return address;
  }

  @Override
  public void free(long address) {}

  @Override
  public void upload(MemorySegment host, long address) {}

  @Override
  public void download(long address, MemorySegment host) {
    host.fill((byte) 0);
  }

  @Override
  public void copy(long source, long target, long bytes) {}

  @Override
  public void fill(long address, byte value, long bytes) {}

  @Override
  public long kernel(String name) {
    kernels.add(name);
    return kernels.size();
  }

  @Override
  public void launch(long kernel, Grid grid, MemorySegment parameters) {
    launches++;
    latest.put(kernels.get(Math.toIntExact(kernel) - 1), grid);
  }

  @Override
  public void synchronize() {}

  @Override
  public void close() {}
}
