package dev.lethe.nn;

import dev.lethe.tensor.DType;
import dev.lethe.tensor.HostAllocator;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.HashMap;
import java.util.Map;

/** Hidden states in memory outside the heap. */
final class HiddenStateMemory implements HiddenStateStore {
  private final DType type;
  private final long budget;
  private final HostAllocator memory = new HostAllocator();
  private final Scope scope = Scope.open("hidden states", memory);
  private final Map<String, Tensor> kept = new HashMap<>();
  private long bytes;

  HiddenStateMemory(DType type, long budget) {
    this.type = type;
    this.budget = budget;
  }

  @Override
  public boolean read(String key, Tensor target) {
    Tensor states = kept.get(key);
    if (states != null) {
      target.copyFrom(states);
    }
    return states != null;
  }

  @Override
  public void write(String key, Tensor states) {
    if (bytes + states.byteSize() <= budget) {
      Tensor copy = scope.allocate(type, states.shape());
      copy.copyFrom(states);
      kept.put(key, copy);
      bytes += states.byteSize();
    }
  }

  @Override
  public DType type() {
    return type;
  }

  @Override
  public int rows() {
    return kept.size();
  }

  @Override
  public long bytes() {
    return bytes;
  }

  @Override
  public long budget() {
    return budget;
  }

  @Override
  public void close() {
    kept.clear();
    scope.close();
    memory.close();
  }
}
