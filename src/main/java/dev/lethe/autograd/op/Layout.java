package dev.lethe.autograd.op;

import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Which values of a tape lie side by side in one matrix, as their operations ask for ({@link Op#together}) and all
 * operations that touch them permit ({@link Op#takesColumns}): a layer's input beside its low-rank factor, so that one
 * product reads both. Backends whose kernels take dense rows only never ask.
 */
public final class Layout {
  /** Rows begin at multiples of so many elements. */
  private static final long GRAIN = 16;

  private final List<Op> ops;
  private final int values;
  private Map<Integer, Place> primals;
  private Map<Integer, Place> adjoints;

  /**
   * @param ops all operations of the tape
   * @param values how many values it has
   */
  public Layout(List<Op> ops, int values) {
    this.ops = ops;
    this.values = values;
  }

  /**
   * Where a value lies.
   *
   * @param matrix the number of the matrix
   * @param column its first column there
   * @param width of the whole matrix
   * @param spare columns of the matrix that no value has, counted with the value in column 0 only
   */
  record Place(int matrix, long column, long width, long spare) {}

  /**
   * Values that want to lie side by side, in this order.
   *
   * @param spare columns wanted behind them
   */
  public record Together(List<Value> values, long spare) {}

  int values() {
    return values;
  }

  /** Places by value number, of primals and tangents or of adjoints and theirs; none for values that are dense. */
  Map<Integer, Place> places(boolean adjoint) {
    if (adjoint) {
      return adjoints = adjoints == null ? new Finder(true).places() : adjoints;
    }
    return primals = primals == null ? new Finder(false).places() : primals;
  }

  /** Gives places to all values of a kind of modes. */
  private final class Finder {
    private final boolean adjoint;
    private final Map<Integer, Integer> memory = new HashMap<>();
    private final Set<Integer> dense = new HashSet<>();
    private final Map<Integer, Place> places = new HashMap<>();
    private int matrices;

    Finder(boolean adjoint) {
      this.adjoint = adjoint;
      for (Op op : ops) {
        op.oneMemory().forEach(value -> memory.put(value.id(), memoryOf(op.oneMemory().getFirst())));
      }
      for (Op op : ops) {
        for (List<Value> touched : List.of(op.inputs(), op.outputs())) {
          for (Value value : touched) {
            if (!op.takesColumns(value, adjoint)) {
              dense.add(memoryOf(value));
            }
          }
        }
      }
    }

    Map<Integer, Place> places() {
      for (Op op : ops) {
        op.together(adjoint).forEach(this::place);
      }
      memory.forEach(
          (value, first) -> {
            if (places.containsKey(first)) {
              places.put(value, places.get(first));
            }
          });
      return places;
    }

    private void place(Together wish) {
      long used = 0;
      for (Value value : wish.values) {
        int of = memoryOf(value);
        if (dense.contains(of) || places.containsKey(of)) {
          return;
        }
        used += value.width();
      }
      long width = Math.ceilDiv(used + wish.spare, GRAIN) * GRAIN;
      long column = 0;
      for (Value value : wish.values) {
        places.put(memoryOf(value), new Place(matrices, column, width, column == 0 ? width - used : 0));
        column += value.width();
      }
      matrices++;
    }

    /** The number of the value that first had a value's memory. */
    private int memoryOf(Value value) {
      return memory.getOrDefault(value.id(), value.id());
    }
  }
}
