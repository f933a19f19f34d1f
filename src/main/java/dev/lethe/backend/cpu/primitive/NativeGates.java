package dev.lethe.backend.cpu.primitive;

import dev.lethe.backend.kernel.operand.Nonlinearity;
import java.lang.foreign.MemorySegment;

/** Gated units by the native library ({@code native/cpu/f32_gates.h}). */
final class NativeGates implements GatePrimitives {
  /** Bytes from f to f′ and to f″. */
  private static final long APART = 4L * RUN;

  @Override
  public void derivatives(
      Nonlinearity nonlinearity, int order, MemorySegment a, long ao, MemorySegment f, long fo, int n) {
    long ofA = NativeCode.floats(a, ao, n);
    long ofF = derivatives(f, fo, order, n);
    try {
      switch (nonlinearity) {
        case SILU -> NativeCode.SILU.invokeExact((long) n, (long) order, ofA, ofF, APART);
        case GELU -> NativeCode.GELU.invokeExact((long) n, (long) order, ofA, ofF, APART);
        case GELU_TANH -> NativeCode.GELU_TANH.invokeExact((long) n, (long) order, ofA, ofF, APART);
      }
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }

  /** The address of f, behind which its derivatives up to an order lie as well. */
  private static long derivatives(MemorySegment f, long fo, int order, int n) {
    return NativeCode.reach(f, fo, order * APART + 4L * n);
  }

  @Override
  public void gate(
      MemorySegment f, long fo, MemorySegment b, long bo, MemorySegment h, long ho, int n) {
    long ofF = derivatives(f, fo, 0, n);
    long ofB = NativeCode.floats(b, bo, n);
    long ofH = NativeCode.floats(h, ho, n);
    try {
      NativeCode.GATE.invokeExact((long) n, ofF, ofB, ofH);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
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
    long ofF = derivatives(f, fo, 1, n);
    long ofB = NativeCode.floats(b, bo, n);
    long ofDa = NativeCode.floats(da, dao, n);
    long ofDb = NativeCode.floats(db, dbo, n);
    long ofDh = NativeCode.floats(dh, dho, n);
    try {
      NativeCode.Derivatives.GATE_TANGENT.invokeExact((long) n, ofF, APART, ofB, ofDa, ofDb, ofDh);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
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
    long ofF = derivatives(f, fo, 1, n);
    long ofB = NativeCode.floats(b, bo, n);
    long ofGh = NativeCode.floats(gh, gho, n);
    long ofGa = NativeCode.floats(ga, gao, n);
    long ofGb = NativeCode.floats(gb, gbo, n);
    try {
      NativeCode.Derivatives.GATE_BACKWARD.invokeExact((long) n, ofF, APART, ofB, ofGh, ofGa, ofGb);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
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
    long ofF = derivatives(f, fo, 2, n);
    long ofB = NativeCode.floats(b, bo, n);
    long ofGh = NativeCode.floats(gh, gho, n);
    long ofDa = NativeCode.floats(da, dao, n);
    long ofDb = NativeCode.floats(db, dbo, n);
    long ofDgh = NativeCode.floats(dgh, dgho, n);
    long ofDga = NativeCode.floats(dga, dgao, n);
    long ofDgb = NativeCode.floats(dgb, dgbo, n);
    try {
      NativeCode.Derivatives.GATE_BACKWARD_TANGENT.invokeExact(
          (long) n, ofF, APART, ofB, ofGh, ofDa, ofDb, ofDgh, ofDga, ofDgb);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
  }
}
