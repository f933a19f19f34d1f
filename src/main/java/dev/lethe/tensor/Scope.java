package dev.lethe.tensor;

import dev.lethe.ArgumentException;
import dev.lethe.ClosedException;
import dev.lethe.Lifetime;
import dev.lethe.MemoryException;
import dev.lethe.Text;
import java.lang.ref.Cleaner;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The explicit lifetime of tensors. Whoever opens a scope closes it, best with try-with-resources; all
 * tensors that it allocated die with it. Closing twice is harmless, using a tensor of a closed scope
 * throws {@link ClosedException}. A scope that the garbage collector finds unclosed is reported with the
 * place that opened it; its memory is not released before its allocator closes, because no finalizer does
 * work here.
 *
 * <p>Not safe for use by several threads at a time.
 */
public final class Scope implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(Scope.class.getName());
  private static final Cleaner LEAKS = Cleaner.create();
  private static final StackWalker STACK = StackWalker.getInstance();

  /** What stands between a scope and those who open and close it. */
  private static final Set<String> DOORS = Set.of(Scope.class.getName(), "dev.lethe.backend.Backend");

  private final String name;
  private final Allocator allocator;
  private final Lifetime memory;
  private final Birth birth;
  private final Set<Storage> owned = Collections.newSetFromMap(new IdentityHashMap<>());
  private Lifetime holder;
  private String closedAt;

  private Scope(String name, Allocator allocator, Lifetime memory) {
    this.name = name;
    this.allocator = allocator;
    this.memory = memory;
    this.birth = new Birth(name, caller(), memory, new AtomicBoolean());
    LEAKS.register(this, birth);
  }

  /** Opens a scope whose tensors come from the given allocator; the name appears in messages. */
  public static Scope open(String name, Allocator allocator) {
    return open(name, allocator, null);
  }

  /**
   * Opens a scope.
   *
   * @param name appears in messages
   * @param memory that of the allocator, all of which ends with it; null where nobody says
   */
  public static Scope open(String name, Allocator allocator, Lifetime memory) {
    return new Scope(name, allocator, memory);
  }

  /** This scope, which dies with somebody else: errors about its tensors speak of that, once it has ended. */
  public Scope of(Lifetime owner) {
    holder = owner;
    return this;
  }

  /** A tensor of undefined contents that lives until this scope closes or {@link #release}. */
  public Tensor allocate(DType dtype, long... dims) {
    return allocate(dtype, Shape.of(dims));
  }

  /** A tensor of undefined contents that lives until this scope closes or {@link #release}. */
  public Tensor allocate(DType dtype, Shape shape) {
    requireOpen("allocate a tensor");
    Storage storage = take(dtype.byteSize(shape.elements()));
    owned.add(storage);
    return new Tensor(shape, dtype, storage, 0, new Tie(this, storage));
  }

  private Storage take(long bytes) {
    try {
      return allocator.allocate(bytes);
    } catch (OutOfMemoryError e) {
      throw new MemoryException(e.getMessage(), e);
    }
  }

  /** Frees one tensor (and every view of it) before the scope closes. */
  public void release(Tensor tensor) {
    tensor.storage();
    Tie tie = tensor.tie();
    if (tie == null || tie.scope != this || !owned.remove(tie.storage)) {
      throw new ArgumentException(
          "tensor " + tensor + " does not belong to scope '" + name + "'; release it where it was allocated");
    }
    tie.released = true;
    allocator.free(tie.storage);
  }

  public boolean isOpen() {
    return closedAt == null;
  }

  private boolean isUsable() {
    return closedAt == null && (memory == null || memory.isOpen()) && (holder == null || holder.isOpen());
  }

  public String name() {
    return name;
  }

  @Override
  public void close() {
    if (closedAt != null) {
      return;
    }
    closedAt = caller();
    birth.closed.set(true);
    if (memory == null || memory.isOpen()) {
      owned.forEach(allocator::free);
    }
    owned.clear();
  }

  private void requireOpen(String action) {
    if (holder != null) {
      holder.requireOpen();
    }
    if (memory != null) {
      memory.requireOpen();
    }
    if (closedAt != null) {
      throw new ClosedException(
          Text.format("scope '%s', opened at %s", name, birth.place),
          Text.format("cannot %s: it was closed at %s", action, closedAt));
    }
  }

  private static String caller() {
    return STACK.walk(
        frames ->
            frames
                .filter(f -> !DOORS.contains(f.getClassName()))
                .findFirst()
                .map(f -> f.getClassName() + "." + f.getMethodName() + ":" + f.getLineNumber())
                .orElse("unknown place"));
  }

  /** Ties a tensor's views to the scope and storage that keep them alive. */
  static final class Tie {
    private final Scope scope;
    private final Storage storage;
    private boolean released;

    private Tie(Scope scope, Storage storage) {
      this.scope = scope;
      this.storage = storage;
    }

    void requireAlive(Tensor tensor) {
      if (released) {
        throw new ClosedException(
            Text.format("tensor %s of scope '%s', opened at %s", tensor, scope.name, scope.birth.place),
            "was used after its release");
      }
      if (!scope.isUsable()) {
        scope.requireOpen("use tensor " + tensor);
      }
    }
  }

  private record Birth(String name, String place, Lifetime memory, AtomicBoolean closed) implements Runnable {
    @Override
    public void run() {
      if (!closed.get() && (memory == null || memory.isOpen())) {
        LOG.log(
            System.Logger.Level.WARNING,
            "scope ''{0}'' opened at {1} was never closed; its memory is lost until its allocator closes",
            name,
            place);
      }
    }
  }
}
