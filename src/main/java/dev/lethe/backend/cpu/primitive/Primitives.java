package dev.lethe.backend.cpu.primitive;

import dev.lethe.Text;

/**
 * The arithmetic that all kernels are built from, in implementations that give the same bytes: that of the native
 * library where it is there; otherwise on the Vector API where the virtual machine was started with it, in plain Java
 * where it was not.
 *
 * @param detail what it is, for people
 * @param remedy the one line that would make it faster, or null
 */
public record Primitives(
    TilePrimitives tiles,
    RowPrimitives rows,
    GatePrimitives gates,
    RecordPrimitives records,
    String detail,
    String remedy) {
  private static final String MODULE = "jdk.incubator.vector";

  /** The fastest that works here. */
  public static Primitives best() {
    if (NativeCode.BITS > 0) {
      String detail = Text.format("native code, %d-bit registers", NativeCode.BITS);
      return new Primitives(
          new NativeTiles(), new NativeRows(), new NativeGates(), new NativeRecords(), detail, null);
    }
    Primitives java = bestInJava();
    String remedy = java.remedy == null ? CpuLibrary.found().remedy() : java.remedy;
    return new Primitives(
        java.tiles, java.rows, java.gates, java.records, java.detail + "; no native code", remedy);
  }

  /** The fastest that works here without the native library. */
  public static Primitives bestInJava() {
    if (ModuleLayer.boot().findModule(MODULE).isEmpty()) {
      return scalar(
          "scalar: Vector API not enabled", "Start Java with --add-modules " + MODULE + ".");
    }
    if (!ScalarMath.FAST_FMA) {
      return scalar("scalar: this processor has no fused multiply-add", null);
    }
    return VectorSupport.open();
  }

  /** Plain Java, whatever the machine offers. */
  public static Primitives scalar(String detail, String remedy) {
    return new Primitives(
        new ScalarTiles(), new ScalarRows(), new ScalarGates(), new ScalarRecords(), detail, remedy);
  }
}
