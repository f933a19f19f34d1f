package dev.lethe.backend.cpu;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.cpu.primitive.CpuLibrary;
import dev.lethe.backend.cpu.primitive.Primitives;
import dev.lethe.backend.cpu.primitive.ScalarMath;

/** The CPU backend with each kind of primitives, for tests of other packages. */
public enum CpuKind {
  /** Native code, with the Vector API where the virtual machine was started with it. */
  NATIVE,
  /** The Vector API. */
  VECTORS,
  /** Plain Java. */
  SCALAR;

  /** Why this machine or virtual machine does not have it, or not with fused multiply-add; null where it has. */
  public String missing() {
    if (!ScalarMath.FAST_FMA) {
      return "no fused multiply-add on this processor";
    }
    return switch (this) {
      case NATIVE -> CpuLibrary.found().reason();
      case VECTORS -> Primitives.bestInJava().remedy();
      case SCALAR -> null;
    };
  }

  /** A new backend, closed by the caller. */
  public Backend open(int threads) {
    Primitives primitives =
        switch (this) {
          case NATIVE -> Primitives.best();
          case VECTORS -> Primitives.bestInJava();
          case SCALAR -> Primitives.scalar("scalar", null);
        };
    return new CpuBackend(primitives, new BackendOptions(threads));
  }
}
