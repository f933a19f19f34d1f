package dev.lethe.backend.cuda.driver;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * cuLaunchKernel without JCuda, which would build its arguments anew at each launch: 16 ns a call instead of
 * microseconds.
 */
final class Launcher {
  private static final FunctionDescriptor SIGNATURE =
      FunctionDescriptor.of(
          ValueLayout.JAVA_INT, // CUresult
          ValueLayout.JAVA_LONG, // CUfunction
          ValueLayout.JAVA_INT, // grid x, y, z
          ValueLayout.JAVA_INT,
          ValueLayout.JAVA_INT,
          ValueLayout.JAVA_INT, // block x, y, z
          ValueLayout.JAVA_INT,
          ValueLayout.JAVA_INT,
          ValueLayout.JAVA_INT, // dynamic shared memory
          ValueLayout.JAVA_LONG, // CUstream
          ValueLayout.JAVA_LONG, // void** parameters
          ValueLayout.JAVA_LONG); // void** extra

  private final MethodHandle launchKernel;

  Launcher(SymbolLookup symbols) {
    launchKernel =
        Linker.nativeLinker().downcallHandle(symbols.findOrThrow("cuLaunchKernel"), SIGNATURE);
  }

  /** Queues a launch and returns the driver's result code. */
  int launch(long function, Grid grid, long stream, long parameters) {
    try {
      return (int)
          launchKernel.invokeExact(
              function,
              grid.x(),
              grid.y(),
              grid.z(),
              grid.threads(),
              1,
              1,
              grid.sharedBytes(),
              stream,
              parameters,
              0L);
    } catch (Throwable e) {
      throw new AssertionError("cuLaunchKernel throws nothing", e);
    }
  }
}
