package dev.lethe.backend.cpu.gemm;

import dev.lethe.tensor.HostAllocator;
import dev.lethe.tensor.HostStorage;
import java.lang.foreign.MemorySegment;

/**
 * Memory of one thread for intermediate results, kept from call to call. Every use has its own
 * slot; what a slot holds is undefined until written.
 */
public final class Scratch {
  /** The uses. Those of one line are in use at the same time. */
  public enum Slot {
    TILE, PACKED_A, ROUNDED_A, EXPANDED, EXPANDED_ROWS, EXPANDED_PAIRS,
    LOW_A, LOW_B, LOW_C, LOW_D, SCALED_A, SCALED_B, PRODUCT, TURNED,
    COLUMN_TAIL,
    GATE,
    CENTRED,
    LOGITS, HEAD_IN, HEAD_OUT,
    Q, K, V, K_PANELS, V_PANELS, G, DQ, DK, DV, DK_PANELS, DV_PANELS, DG, OUT_Q, OUT_K, OUT_V,
    STATISTICS, DELTA, SCORES, PROBABILITIES, GP, GS, DS, DP,
    STRIP, GRADIENT, DOTS
  }

  private final Source source;
  private final HostStorage[] blocks = new HostStorage[Slot.values().length];

  Scratch(Source source) {
    this.source = source;
  }

  /** At least {@code count} floats, aligned to 64 bytes. */
  public MemorySegment floats(Slot slot, long count) {
    HostStorage block = blocks[slot.ordinal()];
    if (block == null || block.byteSize() < 4 * count) {
      block = source.replace(block, 4 * count);
      blocks[slot.ordinal()] = block;
    }
    return block.segment();
  }

  /** Where scratch memory comes from. */
  public record Source(HostAllocator allocator) {
    HostStorage replace(HostStorage old, long bytes) {
      if (old != null) {
        allocator.free(old);
      }
      return (HostStorage) allocator.allocate(bytes);
    }
  }
}
