package dev.lethe.backend;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A backend whose calls of kernels are timed and their costs counted. Kernels are named by group and mode: {@code
 * lora.forward}.
 */
public final class TimedBackend {
  private final Backend backend;
  private final KernelClock clock;
  private final Map<String, Object> groups = new HashMap<>();

  private TimedBackend(Backend backend, KernelClock clock) {
    this.backend = backend;
    this.clock = clock;
  }

  /** Timed by the host's clock, for backends that have done the work when a call returns. */
  public static Backend of(Backend backend) {
    return of(backend, new HostClock());
  }

  /** Timed by another clock. */
  public static Backend of(Backend backend, KernelClock clock) {
    TimedBackend timed = new TimedBackend(backend, clock);
    return proxy(Backend.class, (self, method, arguments) -> timed.invoke(method, arguments));
  }

  private Object invoke(Method method, Object[] arguments) throws Throwable {
    if (method.getName().equals("takeKernelTimes")) {
      return clock.take();
    }
    if (method.getName().equals("run")) {
      KernelCall made = (KernelCall) arguments[0];
      made.require(new Arguments(made.name(), backend.activationType(), backend.vectorType()));
      clock.time(
          made.name(), made.cost(backend.activationType()), () -> made.on(backend.kernels()));
      return null;
    }
    if (method.getReturnType() != Kernels.class
        && method.getReturnType().getSimpleName().endsWith("Kernels")) {
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
    KernelCosts costs = new KernelCosts(backend.activationType());
    return proxy(
        group.getReturnType(),
        (self, mode, arguments) -> {
          String name = group.getName() + "." + mode.getName();
          Object[] result = new Object[1];
          Throwable[] failure = new Throwable[1];
          clock.time(
              name,
              costs.of(name, arguments),
              () -> {
                try {
                  result[0] = call(kernels, mode, arguments);
                } catch (Throwable e) {
                  failure[0] = e;
                }
              });
          if (failure[0] != null) {
            throw failure[0];
          }
          return result[0];
        });
  }

  private static Object call(Object target, Method method, Object[] arguments) throws Throwable {
    try {
      return method.invoke(target, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  private static <T> T proxy(Class<T> type, java.lang.reflect.InvocationHandler handler) {
    return type.cast(Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type}, handler));
  }

  /** By the host's clock. */
  private static final class HostClock implements KernelClock {
    private static final double NANO = 1e-9;

    private final List<KernelTime> times = new ArrayList<>();

    @Override
    public void time(String call, KernelCost cost, Runnable work) {
      long start = System.nanoTime();
      work.run();
      double seconds = (System.nanoTime() - start) * NANO;
      times.add(new KernelTime(KernelTime.Level.CALL, call, 1, seconds, cost));
    }

    @Override
    public List<KernelTime> take() {
      List<KernelTime> taken = KernelTime.total(times);
      times.clear();
      return taken;
    }
  }
}
