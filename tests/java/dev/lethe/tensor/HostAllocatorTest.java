package dev.lethe.tensor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

/** Blocks come back, large ones cost nothing until they are written, and the limit is kept. */
final class HostAllocatorTest {
  private static final long LARGE = 64 << 20;

  @Test
  void handsOutAgainWhatWasFreed() {
    try (HostAllocator memory = new HostAllocator()) {
      for (long bytes : new long[] {100, LARGE}) {
        Storage first = memory.allocate(bytes);
        memory.free(first);
        assertSame(first, memory.allocate(bytes));
        assertNotSame(first, memory.allocate(bytes));
      }
    }
  }

  @Test
  void alignsAndReachesToTheEnd() {
    try (HostAllocator memory = new HostAllocator()) {
      for (long bytes : new long[] {1, 4097, LARGE, LARGE + 12_345}) {
        MemorySegment block = ((HostStorage) memory.allocate(bytes)).segment();
        assertEquals(0, block.address() % 64);
        block.set(ValueLayout.JAVA_BYTE, bytes - 1, (byte) 7);
        assertEquals(7, block.get(ValueLayout.JAVA_BYTE, bytes - 1));
      }
    }
  }

  @Test
  void stopsAtTheLimitAndSaysWhatItNeeds() {
    try (HostAllocator memory = limited(2 * LARGE)) {
      memory.allocate(LARGE);
      OutOfMemoryError e = assertThrows(OutOfMemoryError.class, () -> memory.allocate(4 * LARGE));
      assertTrue(e.getMessage().startsWith("256 MiB more are needed"), e.getMessage());
      assertTrue(e.getMessage().contains("the test allows"), e.getMessage());
      assertTrue(e.getMessage().contains("use a smaller batch"), e.getMessage());
    }
  }

  @Test
  void givesIdleBlocksBackBeforeItStops() {
    try (HostAllocator memory = limited(5 * LARGE)) {
      HostStorage idle = (HostStorage) memory.allocate(3 * LARGE);
      memory.free(idle);
      memory.allocate(4 * LARGE);
      assertEquals(4 * LARGE, memory.reservedBytes());
      assertTrue(!idle.segment().scope().isAlive(), "the idle block is still there");
    }
  }

  /** May take so many bytes beside what the process has. */
  private static HostAllocator limited(long bytes) {
    long taken = HostAllocator.reservedByAll() + HostMemory.ofJava();
    return new HostAllocator(() -> new HostMemory(taken + bytes, bytes, taken, "the test"));
  }
}
