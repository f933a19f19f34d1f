package dev.lethe.tensor;

import java.lang.foreign.MemorySegment;

/** Memory that the JVM can read: off-heap, heap or a mapped file. */
public record HostStorage(MemorySegment segment) implements Storage {
  @Override
  public long byteSize() {
    return segment.byteSize();
  }

  @Override
  public String place() {
    return "host";
  }
}
