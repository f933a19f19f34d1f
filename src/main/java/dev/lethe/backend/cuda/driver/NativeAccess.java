package dev.lethe.backend.cuda.driver;

/** What to say where the JVM does not let this library call native code. */
final class NativeAccess {
  static final String REMEDY =
      "Start java with --enable-native-access=ALL-UNNAMED, and without --illegal-native-access=deny.";

  private NativeAccess() {}
}
