package dev.lethe.backend;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A backend whose calls of kernels are timed by the clock. It is for backends that have done the work when a call
 * returns. Kernels are named by group and mode: {@code lora.forward}.
 */
final class TimedBackend implements InvocationHandler {
  private static final double NANO = 1e-9;

  private final Backend backend;
  private final Map<String, Object> groups = new HashMap<>();
  private final List<KernelTime> times = new ArrayList<>();

  private TimedBackend(Backend backend) {
    this.backend = backend;
  }

  static Backend of(Backend backend) {
    return proxy(Backend.class, new TimedBackend(backend));
  }

  @Override
  public Object invoke(Object self, Method method, Object[] arguments) throws Throwable {
    if (method.getName().equals("takeKernelTimes")) {
      List<KernelTime> taken = KernelTime.total(times);
      times.clear();
      return taken;
    }
    if (method.getReturnType().getSimpleName().endsWith("Kernels")) {
      return groups.computeIfAbsent(method.getName(), name -> timed(method));
    }
    return call(backend, method, arguments);
  }

  /** A group of kernels, each call timed. */
  private Object timed(Method group) {
    Object kernels;
    try {
      kernels = group.invoke(backend);
    } catch (ReflectiveOperationException e) {
      throw new AssertionError(group + " is public and gives a group of kernels", e);
    }
    return proxy(
        group.getReturnType(),
        (self, mode, arguments) -> {
          long start = System.nanoTime();
          try {
            return call(kernels, mode, arguments);
          } finally {
            double seconds = (System.nanoTime() - start) * NANO;
            times.add(new KernelTime(group.getName() + "." + mode.getName(), 1, seconds));
          }
        });
  }

  private static Object call(Object target, Method method, Object[] arguments) throws Throwable {
    try {
      return method.invoke(target, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  private static <T> T proxy(Class<T> type, InvocationHandler handler) {
    return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler));
  }
}
