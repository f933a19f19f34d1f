package dev.lethe.backend.cpu.lora;

import dev.lethe.backend.cpu.gemm.Matrix;
import dev.lethe.backend.cpu.gemm.Panels;
import dev.lethe.backend.cpu.gemm.Scratch;
import dev.lethe.backend.cpu.gemm.Scratch.Slot;
import dev.lethe.backend.cpu.primitive.TilePrimitives;
import dev.lethe.backend.kernel.LoraSlot;
import java.lang.foreign.MemorySegment;

/**
 * An adapter pair A (r,in), B (out,r) inside a flat vector, and its four roles as the right factor
 * of a product, each packed into a given slot of scratch memory.
 *
 * @param base where the flat vector begins, in bytes
 */
record LowRank(TilePrimitives tiles, Scratch scratch, LoraSlot slot, MemorySegment vector, long base) {
  /** Aᵀ (in,r): u = x·Aᵀ. */
  Panels down(Slot place) {
    return pack(place, slot.in(), slot.rank(), a().transposed());
  }

  /** Bᵀ (r,out): y = u·Bᵀ. */
  Panels up(Slot place) {
    return pack(place, slot.rank(), slot.out(), b().transposed());
  }

  /** B (out,r): h = ȳ·B. */
  Panels back(Slot place) {
    return pack(place, slot.out(), slot.rank(), b());
  }

  /** A (r,in): x̄ = h·A. */
  Panels across(Slot place) {
    return pack(place, slot.rank(), slot.in(), a());
  }

  private Matrix a() {
    return Matrix.rows(vector, base + 4 * slot.aOffset(), slot.in());
  }

  private Matrix b() {
    return Matrix.rows(vector, base + 4 * slot.bOffset(), slot.rank());
  }

  private Panels pack(Slot place, long depth, long columns, Matrix source) {
    Panels panels =
        new Panels(
            scratch.floats(place, Panels.size(depth, columns)),
            Math.toIntExact(depth),
            Math.toIntExact(columns));
    panels.pack(tiles, source);
    return panels;
  }
}
