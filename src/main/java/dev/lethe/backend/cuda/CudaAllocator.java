package dev.lethe.backend.cuda;

import dev.lethe.backend.cuda.driver.Device;
import dev.lethe.tensor.Allocator;
import dev.lethe.tensor.Storage;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A caching allocator of device memory: freed blocks are kept by size class and handed out again, in the
 * order of the stream, so that a loop of equal steps allocates only in its first round.
 */
final class CudaAllocator implements Allocator, AutoCloseable {
  private static final long ALIGNMENT = 256;

  private final Device device;
  private final Map<Long, Deque<CudaStorage>> idle = new HashMap<>();
  private final List<CudaStorage> reserved = new ArrayList<>();
  private long liveBytes;
  private long peakLiveBytes;

  CudaAllocator(Device device) {
    this.device = device;
  }

  @Override
  public Storage allocate(long bytes) {
    long size = sizeClass(bytes);
    Deque<CudaStorage> blocks = idle.get(size);
    CudaStorage block = blocks == null ? null : blocks.pollLast();
    if (block == null) {
      block = new CudaStorage(device.allocate(size), size, device.place());
      reserved.add(block);
    }
    liveBytes += size;
    peakLiveBytes = Math.max(peakLiveBytes, liveBytes);
    return block;
  }

  @Override
  public void free(Storage storage) {
    CudaStorage block = (CudaStorage) storage;
    liveBytes -= block.byteSize();
    idle.computeIfAbsent(block.byteSize(), size -> new ArrayDeque<>()).addLast(block);
  }

  /** Bytes handed out now. */
  long liveBytes() {
    return liveBytes;
  }

  /** The most bytes ever handed out at one time. */
  long peakLiveBytes() {
    return peakLiveBytes;
  }

  /** Gives everything back to the device. */
  @Override
  public void close() {
    reserved.forEach(block -> device.free(block.address()));
    reserved.clear();
    idle.clear();
  }

  /** Sizes grow in eighths of a power of two, so that a block wastes at most an eighth. */
  private static long sizeClass(long bytes) {
    long wanted = Math.max(ALIGNMENT, bytes);
    long step = Math.max(ALIGNMENT, Long.highestOneBit(wanted) >>> 3);
    return Math.multiplyExact(Math.ceilDiv(wanted, step), step);
  }
}
