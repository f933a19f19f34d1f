package dev.lethe.autograd.op;

import dev.lethe.autograd.op.Layout.Place;
import dev.lethe.backend.Backend;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;

/**
 * The tensors of one mode by value: primals, tangents, adjoints or adjoint tangents. Several values may
 * share a tensor (a residual passes its adjoint to both sides); it is released when the last one drops it.
 */
public final class Slots {
  private final Backend backend;
  private final Scope scope;
  private final Ref[] refs;
  private final BitSet dropped = new BitSet();
  private final Map<Integer, Place> places;
  private final Map<Integer, Wide> wide = new HashMap<>();
  private final long k;

  private Slots(Backend backend, Scope scope, Layout layout, boolean adjoint, long k) {
    this.backend = backend;
    this.scope = scope;
    this.refs = new Ref[layout.values()];
    this.places = backend.takesColumns() ? layout.places(adjoint) : Map.of();
    this.k = k;
  }

  /** Slots for values (rows,width), numbered from 0, allocating in the given scope. */
  public static Slots ofPrimals(Backend backend, Scope scope, Layout layout) {
    return new Slots(backend, scope, layout, false, 0);
  }

  /** Slots for k tangents (k,rows,width) of each value. */
  public static Slots ofTangents(Backend backend, Scope scope, Layout layout, long k) {
    return new Slots(backend, scope, layout, false, k);
  }

  /** Slots for k adjoints, or their tangents, (k,rows,width) of each value. */
  public static Slots ofAdjoints(Backend backend, Scope scope, Layout layout, long k) {
    return new Slots(backend, scope, layout, true, k);
  }

  /** Whether the value has a tensor. */
  public boolean has(Value value) {
    return refs[value.id()] != null;
  }

  /** The value's tensor; null where it never had one: a structural zero. Throws where it was dropped. */
  public Tensor get(Value value) {
    Ref ref = refs[value.id()];
    if (ref == null && dropped.get(value.id())) {
      throw new IllegalStateException(
          "value " + value.id() + " was dropped: the operation that reads it must list it in saved() or savedAdjoints()");
    }
    return ref == null ? null : ref.tensor;
  }

  /** The value's tensor without its leading axis, which has one entry. */
  public Tensor single(Value value) {
    return get(value).row(0);
  }

  /** A new tensor for the value, contents undefined. */
  public Tensor allocate(Value value) {
    Place place = places.get(value.id());
    if (place == null) {
      return put(value, new Ref(dense(value, value.width()), null));
    }
    Wide matrix = wide.computeIfAbsent(place.matrix(), id -> new Wide(id, dense(value, place.width())));
    matrix.live++;
    return put(value, new Ref(matrix.whole.columns(place.column(), value.width()), matrix));
  }

  private Tensor dense(Value value, long width) {
    return k == 0
        ? scope.allocate(type(value), value.rows(), width)
        : scope.allocate(type(value), k, value.rows(), width);
  }

  /** The whole matrix that the value's tensor is columns of; null where it is dense. */
  public Tensor whole(Value value) {
    Ref ref = refs[value.id()];
    return ref == null || ref.matrix == null ? null : ref.matrix.whole;
  }

  /** Bytes that one tensor (rows,width) for the value takes. */
  public long bytes(Value value) {
    Place place = places.get(value.id());
    return value.rows() * (value.width() + (place == null ? 0 : place.spare())) * type(value).bytes();
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
    put(value, new Ref(tensor, null));
    refs[value.id()].lent = true;
  }

  /** Forgets the value's tensor; nothing where it has none. */
  public void drop(Value value) {
    Ref ref = refs[value.id()];
    if (ref == null) {
      return;
    }
    refs[value.id()] = null;
    dropped.set(value.id());
    if (--ref.count > 0 || ref.lent) {
      return;
    }
    if (ref.matrix == null) {
      scope.release(ref.tensor);
    } else if (--ref.matrix.live == 0) {
      wide.remove(ref.matrix.id);
      scope.release(ref.matrix.whole);
    }
  }

  private Tensor put(Value value, Ref ref) {
    if (refs[value.id()] != null) {
      throw new IllegalStateException("value " + value.id() + " is written twice");
    }
    refs[value.id()] = ref;
    return ref.tensor;
  }

  private DType type(Value value) {
    return switch (value.kind()) {
      case ACTIVATION -> backend.activationType();
      case STATISTIC -> backend.vectorType();
    };
  }

  private static final class Ref {
    private final Tensor tensor;
    private final Wide matrix;
    private int count = 1;
    private boolean lent;

    /**
     * @param matrix what the tensor is columns of, or null
     */
    private Ref(Tensor tensor, Wide matrix) {
      this.tensor = tensor;
      this.matrix = matrix;
    }
  }

  /** A matrix that values lie in side by side; released with the last of them. */
  private static final class Wide {
    private final int id;
    private final Tensor whole;
    private int live;

    private Wide(int id, Tensor whole) {
      this.id = id;
      this.whole = whole;
    }
  }
}
