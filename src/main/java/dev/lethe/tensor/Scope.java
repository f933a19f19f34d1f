package dev.lethe.tensor;

import java.lang.ref.Cleaner;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The explicit lifetime of tensors. Whoever opens a scope closes it, best with try-with-resources; all
 * tensors that it allocated die with it. Closing twice is harmless, using a tensor of a closed scope
 * throws IllegalStateException. A scope that the garbage collector finds unclosed is reported with the
 * place that opened it; its memory is not released, because no finalizer does work here.
 *
 * <p>Not safe for use by several threads at a time.
 */
public final class Scope implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(Scope.class.getName());
  private static final Cleaner LEAKS = Cleaner.create();
  private static final StackWalker STACK = StackWalker.getInstance();

  private final String name;
  private final Allocator allocator;
  private final Birth birth;
  private final Set<Storage> owned = Collections.newSetFromMap(new IdentityHashMap<>());
  private String closedAt;

  private Scope(String name, Allocator allocator) {
    this.name = name;
    this.allocator = allocator;
    this.birth = new Birth(name, callerOutsideScope(), new AtomicBoolean());
    LEAKS.register(this, birth);
  }

  /** Opens a scope whose tensors come from the given allocator; the name appears in messages. */
  public static Scope open(String name, Allocator allocator) {
    return new Scope(name, allocator);
  }

  /** A tensor of undefined contents that lives until this scope closes or {@link #release}. */
  public Tensor allocate(DType dtype, long... dims) {
    return allocate(dtype, Shape.of(dims));
  }

  /** A tensor of undefined contents that lives until this scope closes or {@link #release}. */
  public Tensor allocate(DType dtype, Shape shape) {
    requireOpen("allocate a tensor");
    Storage storage = allocator.allocate(dtype.byteSize(shape.elements()));
    owned.add(storage);
    return new Tensor(shape, dtype, storage, 0, new Lifetime(this, storage));
  }

  /** Frees one tensor (and every view of it) before the scope closes. */
  public void release(Tensor tensor) {
    tensor.storage();
    Lifetime lifetime = tensor.lifetime();
    if (lifetime == null || lifetime.scope != this || !owned.remove(lifetime.storage)) {
      throw new IllegalArgumentException(
          "tensor " + tensor + " does not belong to scope '" + name + "'; release it where it was allocated");
    }
    lifetime.released = true;
    allocator.free(lifetime.storage);
  }

  public boolean isOpen() {
    return closedAt == null;
  }

  public String name() {
    return name;
  }

  @Override
  public void close() {
    if (closedAt != null) {
      return;
    }
    closedAt = callerOutsideScope();
    birth.closed.set(true);
    owned.forEach(allocator::free);
    owned.clear();
  }

  private void requireOpen(String action) {
    if (closedAt != null) {
      throw new IllegalStateException(
          "cannot %s: scope '%s' (opened at %s) was closed at %s"
              .formatted(action, name, birth.place, closedAt));
    }
  }

  private static String callerOutsideScope() {
    return STACK.walk(
        frames ->
            frames
                .filter(f -> !f.getClassName().equals(Scope.class.getName()))
                .findFirst()
                .map(f -> f.getClassName() + "." + f.getMethodName() + ":" + f.getLineNumber())
                .orElse("unknown place"));
  }

  /** Ties a tensor's views to the scope and storage that keep them alive. */
  static final class Lifetime {
    private final Scope scope;
    private final Storage storage;
    private boolean released;

    private Lifetime(Scope scope, Storage storage) {
      this.scope = scope;
      this.storage = storage;
    }

    void requireAlive(Tensor tensor) {
      if (released) {
        throw new IllegalStateException(
            "tensor " + tensor + " of scope '" + scope.name + "' was used after its release");
      }
      if (!scope.isOpen()) {
        scope.requireOpen("use tensor " + tensor);
      }
    }
  }

  private record Birth(String name, String place, AtomicBoolean closed) implements Runnable {
    @Override
    public void run() {
      if (!closed.get()) {
        LOG.log(
            System.Logger.Level.WARNING,
            "scope ''{0}'' opened at {1} was never closed; its memory is lost until exit",
            name,
            place);
      }
    }
  }
}
