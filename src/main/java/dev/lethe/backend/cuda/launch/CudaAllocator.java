package dev.lethe.backend.cuda.launch;

import dev.lethe.Text;
import dev.lethe.backend.Turn;
import dev.lethe.backend.cuda.driver.Device;
import dev.lethe.tensor.Allocator;
import dev.lethe.tensor.Storage;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.OptionalLong;

/**
 * A caching allocator of device memory: freed blocks are kept by size class and handed out again, in the
 * order of the stream, so that a loop of equal steps allocates only in its first round.
 *
 * <p>Recordings write to fixed addresses whenever they are replayed, so their blocks come from a pool that
 * nobody else draws from. All recordings share it: they run one after another, and what one leaves there
 * the next overwrites before it reads.
 *
 * <p>Safe for use by several threads, which take turns with the device's other users.
 */
public final class CudaAllocator implements Allocator, AutoCloseable {
  private static final long ALIGNMENT = 256;

  private final Device device;
  private final Turn turn;
  private final Pool common = new Pool();
  private final Pool recorded = new Pool();
  private Pool current = common;
  private int recordings;
  private long liveBytes;
  private long peakLiveBytes;
  private long reservedBytes;

  CudaAllocator(Device device, Turn turn) {
    this.device = device;
    this.turn = turn;
  }

  /** Blocks that are idle, by size class. */
  static final class Pool {
    private final Map<Long, Deque<CudaStorage>> idle = new HashMap<>();

    private CudaStorage poll(long size) {
      Deque<CudaStorage> blocks = idle.get(size);
      return blocks == null ? null : blocks.pollLast();
    }

    private void add(CudaStorage block) {
      idle.computeIfAbsent(block.byteSize(), size -> new ArrayDeque<>()).addLast(block);
    }

    private long bytes() {
      return idle.values().stream()
          .flatMap(Collection::stream)
          .mapToLong(CudaStorage::byteSize)
          .sum();
    }
  }

  @Override
  public Storage allocate(long bytes) {
    long size = sizeClass(bytes);
    try (Turn.Taken mine = turn.take()) {
      CudaStorage block = current.poll(size);
      if (block == null) {
        block = new CudaStorage(reserve(size), size, device.place(), current);
        reservedBytes += size;
      }
      liveBytes += size;
      peakLiveBytes = Math.max(peakLiveBytes, liveBytes);
      return block;
    }
  }

  @Override
  public void free(Storage storage) {
    CudaStorage block = (CudaStorage) storage;
    try (Turn.Taken mine = turn.take()) {
      liveBytes -= block.byteSize();
      block.pool().add(block);
    }
  }

  /** Opens a recording, for which {@link #allocateForRecordings} will be called. */
  public void openRecording() {
    recordings++;
  }

  /** Runs work whose blocks come from the recordings' pool. */
  public void allocateForRecordings(Runnable work) {
    Pool before = current;
    current = recorded;
    try {
      work.run();
    } finally {
      current = before;
    }
  }

  /** Whether what runs now belongs to a recording. */
  boolean allocatesForRecordings() {
    return current == recorded;
  }

  /** Whether a recording is open. */
  boolean hasRecordings() {
    return recordings > 0;
  }

  /** Closes a recording; after the last one their pool goes back to the device. */
  public void closeRecording() {
    if (--recordings == 0) {
      giveBack(recorded);
    }
  }

  /** Bytes handed out now. */
  public long liveBytes() {
    return liveBytes;
  }

  /** The most bytes ever handed out at one time. */
  public long peakLiveBytes() {
    return peakLiveBytes;
  }

  /** Bytes that could still be handed out; empty where the device does not know. */
  public OptionalLong freeBytes() {
    long onDevice = device.freeBytes();
    return onDevice == Long.MAX_VALUE
        ? OptionalLong.empty()
        : OptionalLong.of(onDevice + common.bytes());
  }

  /** Gives everything back to the device that is not in use. */
  @Override
  public void close() {
    giveBack(common);
    giveBack(recorded);
  }

  private long reserve(long size) {
    try {
      return device.allocate(size);
    } catch (OutOfMemoryError first) {
      giveBack(common);
      try {
        return device.allocate(size);
      } catch (OutOfMemoryError e) {
        throw new OutOfMemoryError(
            Text.format(
                "%s; this process holds %,d MiB, %,d MiB of them in use",
                e.getMessage(), reservedBytes >> 20, liveBytes >> 20));
      }
    }
  }

  private void giveBack(Pool pool) {
    for (Deque<CudaStorage> blocks : pool.idle.values()) {
      for (CudaStorage block : blocks) {
        device.free(block.address());
        reservedBytes -= block.byteSize();
      }
    }
    pool.idle.clear();
  }

  /** Sizes grow in eighths of a power of two, so that a block wastes at most an eighth. */
  private static long sizeClass(long bytes) {
    long wanted = Math.max(ALIGNMENT, bytes);
    long step = Math.max(ALIGNMENT, Long.highestOneBit(wanted) >>> 3);
    return Math.multiplyExact(Math.ceilDiv(wanted, step), step);
  }
}
