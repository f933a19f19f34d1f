package dev.lethe.tensor;

import dev.lethe.Text;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.function.Supplier;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A caching allocator of off-heap memory: freed blocks are kept by size class and handed out again, so
 * that a loop of equal steps allocates only in its first round. All blocks go back to the system at
 * {@link #close}, idle ones as soon as room is needed. Safe for use by several threads.
 *
 * <p>Blocks come as {@link SystemPages}, untouched, small ones many to a slab, so that the system kills who writes more
 * than there is. All allocators together therefore stop at the limit of {@link HostMemory}, with an error.
 *
 * <p>With {@code -Dlethe.poison=true} every block is filled with NaN bit patterns when handed out, so
 * that a kernel that reads what nobody wrote shows itself.
 */
public final class HostAllocator implements Allocator, AutoCloseable {
  private static final boolean POISON = Boolean.getBoolean("lethe.poison");
  private static final long ALIGNMENT = 64;

  /** Bytes from which blocks are worth pages of their own and a look at the limit. */
  private static final long LARGE = 2 << 20;

  /** Bytes of the pages that smaller blocks are cut from. */
  private static final long SLAB = 16 << 20;

  /** Bytes that all allocators have taken from the system. */
  private static final AtomicLong RESERVED = new AtomicLong();

  private final Supplier<HostMemory> present;
  private final Arena small = Arena.ofShared();
  private final Map<Long, Deque<HostStorage>> idle = new HashMap<>();
  private final Map<HostStorage, Arena> large = new IdentityHashMap<>();
  private MemorySegment slab = MemorySegment.NULL;
  private long liveBytes;
  private long reservedBytes;
  private long peakLiveBytes;

  public HostAllocator() {
    this(HostMemory::now);
  }

  /**
   * @param present tells how much memory there is, whenever a large block is asked for
   */
  HostAllocator(Supplier<HostMemory> present) {
    this.present = present;
  }

  @Override
  public synchronized Storage allocate(long bytes) {
    long size = blockSize(bytes);
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

  /** Bytes that all allocators of this process have taken from the system. */
  static long reservedByAll() {
    return RESERVED.get();
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
    if (small.scope().isAlive()) {
      idle.clear();
      large.values().forEach(Arena::close);
      large.clear();
      small.close();
      RESERVED.addAndGet(-reservedBytes);
      reservedBytes = 0;
    }
  }

  private HostStorage reserve(long size) {
    if (!small.scope().isAlive()) {
      throw new IllegalStateException("memory was asked of an allocator that was closed");
    }
    if (size >= LARGE) {
      makeRoom(size);
    }
    try {
      HostStorage block = size < LARGE ? null : pages(size);
      if (block == null) {
        block = new HostStorage(piece(size));
      }
      reservedBytes += size;
      RESERVED.addAndGet(size);
      return block;
    } catch (OutOfMemoryError e) {
      throw new OutOfMemoryError(
          Text.format(
              "the system gave no more memory: wanted %,d bytes, holding %,d; use a smaller batch",
              size, reservedBytes));
    }
  }

  /** A piece of a slab, which is given back with all others. */
  private MemorySegment piece(long size) {
    if (slab.byteSize() < size) {
      MemorySegment pages = size > SLAB ? null : SystemPages.reserve(SLAB);
      if (pages == null) {
        return small.allocate(size, ALIGNMENT);
      }
      slab = pages.reinterpret(SLAB, small, SystemPages::release);
    }
    MemorySegment piece = slab.asSlice(0, size);
    slab = slab.asSlice(size);
    return piece;
  }

  /** A block that is given back by itself; null where the system has none. */
  private HostStorage pages(long size) {
    MemorySegment pages = SystemPages.reserve(size);
    if (pages == null) {
      return null;
    }
    Arena arena = Arena.ofShared();
    HostStorage block = new HostStorage(pages.reinterpret(size, arena, SystemPages::release));
    large.put(block, arena);
    return block;
  }

  /** Gives idle blocks back where the limit is near; throws where that is not enough. */
  private void makeRoom(long size) {
    HostMemory memory = present.get();
    long room = memory.room();
    if (size > room) {
      room += releaseIdle();
    }
    if (size > room) {
      throw new OutOfMemoryError(
          Text.format(
              "%,d MiB more are needed, beside %,d MiB of tensors and %,d MiB of Java, and %s allows %,d MiB, of which"
                  + " %,d are left; use a smaller batch, --weights bf16, or raise the limit",
              size >> 20,
              RESERVED.get() >> 20,
              HostMemory.ofJava() >> 20,
              memory.reason(),
              memory.limit() >> 20,
              room >> 20));
    }
  }

  private long releaseIdle() {
    long released = 0;
    for (Deque<HostStorage> blocks : idle.values()) {
      for (HostStorage block : blocks) {
        Arena arena = large.remove(block);
        if (arena != null) {
          arena.close();
          released += block.byteSize();
        }
      }
      blocks.removeIf(block -> !block.segment().scope().isAlive());
    }
    reservedBytes -= released;
    RESERVED.addAndGet(-released);
    return released;
  }

  /**
   * Bytes of the block that so many bytes get: sizes grow in eighths of a power of two, so that one wastes at most an
   * eighth.
   */
  public static long blockSize(long bytes) {
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
