package dev.lethe.backend.cuda.blas;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * A library of NVIDIA's, loaded until the process ends.
 *
 * @param place file, or name where the system's loader found it
 * @param major its version
 */
record VendorLibrary(String place, int major, SymbolLookup symbols) {
  /** Pointers and handles are passed as numbers. */
  static final MemoryLayout POINTER = ValueLayout.JAVA_LONG;

  static final MemoryLayout LONG = ValueLayout.JAVA_LONG;
  static final MemoryLayout INT = ValueLayout.JAVA_INT;

  /**
   * A C function that returns a status.
   *
   * @throws UnsatisfiedLinkError where the library has no such function
   */
  MethodHandle function(String name, MemoryLayout... arguments) {
    return bind(name, FunctionDescriptor.of(INT, arguments));
  }

  MethodHandle bind(String name, FunctionDescriptor signature) {
    MemorySegment symbol =
        symbols
            .find(name)
            .orElseThrow(() -> new UnsatisfiedLinkError("it has no function " + name));
    return Linker.nativeLinker().downcallHandle(symbol, signature);
  }

  /** Calls a function that is not called often. */
  static int call(MethodHandle function, Object... arguments) {
    try {
      return (int) function.invokeWithArguments(arguments);
    } catch (Throwable e) {
      throw new AssertionError("C functions throw nothing", e);
    }
  }
}
