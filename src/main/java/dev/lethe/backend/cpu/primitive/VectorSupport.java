package dev.lethe.backend.cpu.primitive;

/** The only way to the classes that use the Vector API; not loaded where the module is absent. */
final class VectorSupport {
  private static final int NARROWEST = 4;

  private VectorSupport() {}

  static Primitives open() {
    int bits = VectorMath.SPECIES.vectorBitSize();
    if (VectorMath.L < NARROWEST) {
      return Primitives.scalar("scalar: vector registers of only " + bits + " bits", null);
    }
    return new Primitives(
        new VectorTiles(),
        new VectorRows(),
        new VectorGates(),
        new VectorRecords(),
        "Vector API, " + bits + "-bit registers",
        null);
  }
}
