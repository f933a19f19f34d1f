package dev.lethe.tensor;

import dev.lethe.Text;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;

/**
 * A caching allocator of off-heap memory: freed blocks are kept by size class and handed out again, so
 * that a loop of equal steps allocates only in its first round. All blocks go back to the system at
 * {@link #close}. Safe for use by several threads.
 *
 * <p>With {@code -Dlethe.poison=true} every block is filled with NaN bit patterns when handed out, so
 * that a kernel that reads what nobody wrote shows itself.
 */
public final class HostAllocator implements Allocator, AutoCloseable {
  private static final boolean POISON = Boolean.getBoolean("lethe.poison");
  private static final long ALIGNMENT = 64;

  private final Arena arena = Arena.ofShared();
  private final Map<Long, Deque<HostStorage>> idle = new HashMap<>();
  private long liveBytes;
  private long reservedBytes;
  private long peakLiveBytes;

  @Override
  public synchronized Storage allocate(long bytes) {
    long size = sizeClass(bytes);
    Deque<HostStorage> blocks = idle.get(size);
    HostStorage block = blocks == null ? null : blocks.pollLast();
    if (block == null) {
      block = reserve(size);
    }
    liveBytes += size;
    peakLiveBytes = Math.max(peakLiveBytes, liveBytes);
    if (POISON) {
      poison(block.segment());
    }
    return block;
  }

  @Override
  public synchronized void free(Storage storage) {
    HostStorage block = (HostStorage) storage;
    liveBytes -= block.byteSize();
    idle.computeIfAbsent(block.byteSize(), size -> new ArrayDeque<>()).addLast(block);
  }

  /** Bytes handed out now. */
  public synchronized long liveBytes() {
    return liveBytes;
  }

  /** Bytes taken from the system, in use or idle. */
  public synchronized long reservedBytes() {
    return reservedBytes;
  }

  /** The most bytes ever handed out at one time. */
  public synchronized long peakLiveBytes() {
    return peakLiveBytes;
  }

  /** Gives everything back to the system; tensors that lie here must no longer be used. */
  @Override
  public synchronized void close() {
    if (arena.scope().isAlive()) {
      idle.clear();
      arena.close();
    }
  }

  private HostStorage reserve(long size) {
    try {
      HostStorage block = new HostStorage(arena.allocate(size, ALIGNMENT));
      reservedBytes += size;
      return block;
    } catch (OutOfMemoryError e) {
      throw new OutOfMemoryError(
          Text.format(
              "the system gave no more memory: wanted %,d bytes, holding %,d; use a smaller batch",
              size, reservedBytes));
    }
  }

  /** Sizes grow in eighths of a power of two, so that a block wastes at most an eighth. */
  private static long sizeClass(long bytes) {
    long wanted = Math.max(ALIGNMENT, bytes);
    long step = Math.max(ALIGNMENT, Long.highestOneBit(wanted) >>> 3);
    return Math.multiplyExact(Math.ceilDiv(wanted, step), step);
  }

  private static void poison(MemorySegment segment) {
    for (long at = 0; at < segment.byteSize(); at += Integer.BYTES) {
      segment.set(ValueLayout.JAVA_INT, at, 0x7FF4_DEAD);
    }
  }
}
