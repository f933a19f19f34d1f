package dev.lethe.data.work;

import java.util.HashMap;
import java.util.Map;
import java.util.function.Supplier;

/** A model, and what tasks keep on it from one to the next. One task at a time works on it. */
public final class RowWorker<M> implements AutoCloseable {
  private final M model;
  private final AutoCloseable owner;
  private final Map<String, Kept> kept = new HashMap<>();

  private record Kept(String state, AutoCloseable value) {}

  /**
   * @param model what tasks are done with
   * @param owner of the model, closed with the worker
   */
  public RowWorker(M model, AutoCloseable owner) {
    this.model = model;
    this.owner = owner;
  }

  public M model() {
    return model;
  }

  /**
   * What was kept in a place; made where nothing is there, or something of another state, which is closed.
   *
   * @param place as of a part of a data set
   * @param state what the value depends on besides, as a hash of θ
   * @param type of the value
   */
  public <T extends AutoCloseable> T kept(String place, String state, Class<T> type, Supplier<T> make) {
    Kept there = kept.get(place);
    if (there != null && there.state.equals(state)) {
      return type.cast(there.value);
    }
    forget(place);
    T made = make.get();
    kept.put(place, new Kept(state, made));
    return made;
  }

  /** Closes what is kept in a place. */
  public void forget(String place) {
    Kept there = kept.remove(place);
    if (there != null) {
      closed(there.value);
    }
  }

  private static void closed(AutoCloseable value) {
    try {
      value.close();
    } catch (RuntimeException e) {
      throw e;
    } catch (Exception e) {
      throw new IllegalStateException("closing failed", e);
    }
  }

  @Override
  public void close() {
    kept.values().forEach(each -> closed(each.value));
    kept.clear();
    closed(owner);
  }
}
