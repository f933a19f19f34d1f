package dev.lethe.autograd.op;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/**
 * The tensors of one mode by value: primals, tangents, adjoints or adjoint tangents. Several values may
 * share a tensor (a residual passes its adjoint to both sides); it is released when the last one drops it.
 */
public final class Slots {
  private final Backend backend;
  private final Scope scope;
  private final Ref[] refs;
  private final long k;

  private Slots(Backend backend, Scope scope, int values, long k) {
    this.backend = backend;
    this.scope = scope;
    this.refs = new Ref[values];
    this.k = k;
  }

  /** Slots for values (rows,width), numbered from 0, allocating in the given scope. */
  public static Slots ofPrimals(Backend backend, Scope scope, int values) {
    return new Slots(backend, scope, values, 0);
  }

  /** Slots for k tangents or adjoints (k,rows,width) of each value. */
  public static Slots of(Backend backend, Scope scope, int values, long k) {
    return new Slots(backend, scope, values, k);
  }

  /** Whether the value has a tensor. */
  public boolean has(Value value) {
    return refs[value.id()] != null;
  }

  /** The value's tensor; null where it has none: a structural zero. */
  public Tensor get(Value value) {
    Ref ref = refs[value.id()];
    return ref == null ? null : ref.tensor;
  }

  /** The value's tensor without its leading axis, which has one entry. */
  public Tensor single(Value value) {
    return get(value).row(0);
  }

  /** A new tensor for the value, contents undefined. */
  public Tensor allocate(Value value) {
    Tensor tensor =
        k == 0
            ? scope.allocate(type(value), value.rows(), value.width())
            : scope.allocate(type(value), k, value.rows(), value.width());
    return put(value, tensor);
  }

  /** Bytes of one tensor (rows,width) for the value. */
  public long bytes(Value value) {
    return value.rows() * value.width() * type(value).bytes();
  }

  /** The tensor that several consumers add to: the present one, or a new one. */
  public Tensor accumulated(Value value) {
    Ref ref = refs[value.id()];
    if (ref == null) {
      return allocate(value);
    }
    if (ref.count != 1) {
      throw new IllegalStateException("the adjoint of value " + value.id() + " is shared");
    }
    return ref.tensor;
  }

  /** Makes {@code to} share the tensor of {@code from}; nothing where that has none. */
  public void share(Value from, Value to) {
    Ref ref = refs[from.id()];
    if (ref != null) {
      ref.count++;
      refs[to.id()] = ref;
    }
  }

  /** Makes the value a tensor that belongs to somebody else and outlives these slots. */
  public void lend(Tensor tensor, Value value) {
    put(value, tensor);
    refs[value.id()].lent = true;
  }

  /** Forgets the value's tensor; nothing where it has none. */
  public void drop(Value value) {
    Ref ref = refs[value.id()];
    if (ref == null) {
      return;
    }
    refs[value.id()] = null;
    if (--ref.count == 0 && !ref.lent) {
      scope.release(ref.tensor);
    }
  }

  private Tensor put(Value value, Tensor tensor) {
    if (refs[value.id()] != null) {
      throw new IllegalStateException("value " + value.id() + " is written twice");
    }
    refs[value.id()] = new Ref(tensor);
    return tensor;
  }

  private DType type(Value value) {
    return switch (value.kind()) {
      case ACTIVATION -> backend.activationType();
      case STATISTIC -> backend.vectorType();
    };
  }

  private static final class Ref {
    private final Tensor tensor;
    private int count = 1;
    private boolean lent;

    private Ref(Tensor tensor) {
      this.tensor = tensor;
    }
  }
}
