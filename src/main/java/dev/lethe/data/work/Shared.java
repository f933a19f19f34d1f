package dev.lethe.data.work;

import java.io.Serializable;

/** A value that every worker can get, sent to each at most once. */
public interface Shared<T> extends Serializable, AutoCloseable {
  T get();

  /** Lets workers forget it. */
  @Override
  void close();
}
