package dev.lethe.backend.cuda;

import java.lang.reflect.Proxy;

/** Stands where an operation's kernels will be. */
final class Absent {
  private Absent() {}

  static <K> K of(Class<K> kernels) {
    return kernels.cast(
        Proxy.newProxyInstance(
            kernels.getClassLoader(),
            new Class<?>[] {kernels},
            (proxy, method, arguments) -> {
              throw new AssertionError(kernels.getSimpleName() + " is not there yet");
            }));
  }
}
