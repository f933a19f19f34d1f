package dev.lethe.session;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;
import java.util.function.Supplier;

/** A value that a thread of its own makes while the caller does other work. */
final class Meanwhile<T> {
  private final CompletableFuture<T> value;

  Meanwhile(String name, Supplier<T> work) {
    value = CompletableFuture.supplyAsync(work, task -> Thread.ofPlatform().daemon().name(name).start(task));
  }

  /** Waits for the value; throws what making it threw. */
  T get() {
    try {
      return value.join();
    } catch (CompletionException e) {
      switch (e.getCause()) {
        case RuntimeException cause -> throw cause;
        case Error cause -> throw cause;
        default -> throw e;
      }
    }
  }

  /** Does something with the value when it is there, if it comes to be. */
  void then(Consumer<T> action) {
    value.thenAccept(action);
  }
}
