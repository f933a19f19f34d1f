package dev.lethe.autograd;

import dev.lethe.backend.Backend;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;

/**
 * The tensors of one mode by value: primals, tangents, adjoints or adjoint tangents. Several values may
 * share a tensor (a residual passes its adjoint to both sides); it is released when the last one drops it.
 */
final class Slots {
  private final Backend backend;
  private final Scope scope;
  private final Ref[] refs;

  /** Slots for the values of a tape, allocating in the given scope. */
  Slots(Backend backend, Scope scope, Tape tape) {
    this.backend = backend;
    this.scope = scope;
    this.refs = new Ref[tape.valueCount()];
  }

  boolean has(Value value) {
    return refs[value.id()] != null;
  }

  /** The value's tensor; null where it has none: a structural zero. */
  Tensor get(Value value) {
    Ref ref = refs[value.id()];
    return ref == null ? null : ref.tensor;
  }

  /** The value's tensor without its leading axis, which has one entry. */
  Tensor single(Value value) {
    return get(value).row(0);
  }

  /** A new tensor (rows,width) for the value, contents undefined. */
  Tensor allocate(Value value) {
    return put(value, scope.allocate(type(value), value.rows(), value.width()));
  }

  /** Bytes of a tensor (rows,width) for the value. */
  long bytes(Value value) {
    return value.rows() * value.width() * type(value).bytes();
  }

  /** A new tensor (k,rows,width) for the value, contents undefined. */
  Tensor allocate(Value value, long k) {
    return put(value, scope.allocate(type(value), k, value.rows(), value.width()));
  }

  /** The tensor that several consumers add to: the present one, or a new (k,rows,width). */
  Tensor accumulated(Value value, long k) {
    Ref ref = refs[value.id()];
    if (ref == null) {
      return allocate(value, k);
    }
    if (ref.count != 1) {
      throw new IllegalStateException("the adjoint of value " + value.id() + " is shared");
    }
    return ref.tensor;
  }

  /** Makes {@code to} share the tensor of {@code from}; nothing where that has none. */
  void share(Value from, Value to) {
    Ref ref = refs[from.id()];
    if (ref != null) {
      ref.count++;
      refs[to.id()] = ref;
    }
  }

  /** Makes the value a tensor that belongs to somebody else and outlives these slots. */
  void lend(Tensor tensor, Value value) {
    put(value, tensor);
    refs[value.id()].lent = true;
  }

  /** Forgets the value's tensor; nothing where it has none. */
  void drop(Value value) {
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
