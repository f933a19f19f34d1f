package dev.lethe.backend.cpu.primitive;

import dev.lethe.backend.kernel.Nonlinearity;
import java.lang.foreign.MemorySegment;

/** Gated units whose functions the native library computes. The products with them are those of Java. */
record NativeGates(GatePrimitives java) implements GatePrimitives {
  @Override
  public void derivatives(
      Nonlinearity nonlinearity, int order, MemorySegment a, long ao, MemorySegment f, long fo, int n) {
    long ofA = NativeCode.reach(a, ao, 4L * n);
    long ofF = NativeCode.reach(f, fo, 4L * (RUN * order + n));
    try {
      NativeCode.GATE_DERIVATIVES.invokeExact((long) nonlinearity.ordinal(), (long) order, (long) n, ofA, ofF);
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }

  @Override
  public void gate(
      MemorySegment f, long fo, MemorySegment b, long bo, MemorySegment h, long ho, int n) {
    java.gate(f, fo, b, bo, h, ho, n);
  }

  @Override
  public void gateTangent(
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
      int n) {
    java.gateTangent(f, fo, b, bo, da, dao, db, dbo, dh, dho, n);
  }

  @Override
  public void gateBackward(
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
      int n) {
    java.gateBackward(f, fo, b, bo, gh, gho, ga, gao, gb, gbo, n);
  }

  @Override
  public void gateBackwardTangent(
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
      int n) {
    java.gateBackwardTangent(f, fo, b, bo, gh, gho, da, dao, db, dbo, dgh, dgho, dga, dgao, dgb, dgbo, n);
  }
}
