package dev.lethe.backend.cpu.primitive;

import dev.lethe.backend.kernel.operand.Nonlinearity;
import java.lang.foreign.MemorySegment;

/**
 * Arithmetic of gated units h = f(a)∘b on runs of at most {@value #RUN} contiguous floats. f, f′ and f″ at a run of a are
 * computed first; they lie {@value #RUN} floats from each other, from offset {@code fo} of {@code f} on. Offsets are in
 * bytes. All implementations give the same bytes.
 */
public interface GatePrimitives {
  /** Three of them, and what else a call reads, stay in the nearest cache. */
  int RUN = 1024;

  /**
   * f(a) and its derivatives.
   *
   * @param order of the last derivative that is wanted: 0, 1 or 2
   */
  void derivatives(
      Nonlinearity nonlinearity, int order, MemorySegment a, long ao, MemorySegment f, long fo, int n);

  /** h = fb. */
  void gate(
      MemorySegment f, long fo, MemorySegment b, long bo, MemorySegment h, long ho, int n);

  /** ḣ = f′ȧb + fḃ. */
  void gateTangent(
      MemorySegment f,
      long fo,
      MemorySegment b,
      long bo,
      MemorySegment da,
      long dao,
      MemorySegment db,
      long dbo,
      MemorySegment dh,
      long dho,
      int n);

  /** ā = h̄bf′, b̄ = h̄f. */
  void gateBackward(
      MemorySegment f,
      long fo,
      MemorySegment b,
      long bo,
      MemorySegment gh,
      long gho,
      MemorySegment ga,
      long gao,
      MemorySegment gb,
      long gbo,
      int n);

  /** ā̇ = h̄̇bf′ + h̄ḃf′ + h̄bf″ȧ, b̄̇ = h̄̇f + h̄f′ȧ. */
  void gateBackwardTangent(
      MemorySegment f,
      long fo,
      MemorySegment b,
      long bo,
      MemorySegment gh,
      long gho,
      MemorySegment da,
      long dao,
      MemorySegment db,
      long dbo,
      MemorySegment dgh,
      long dgho,
      MemorySegment dga,
      long dgao,
      MemorySegment dgb,
      long dgbo,
      int n);
}
