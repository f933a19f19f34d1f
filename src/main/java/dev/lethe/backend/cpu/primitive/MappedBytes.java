package dev.lethe.backend.cpu.primitive;

import java.lang.foreign.MemorySegment;

/**
 * Bytes of mapped files for native code that reads them once: copied by the system, which is several times faster than
 * reading them where they are mapped for the first time, and is an error instead of a crash where the file was cut off.
 */
public final class MappedBytes {
  private MappedBytes() {}

  /**
   * Where bytes are read from: the copy, or the segment itself where that is no mapped file or nothing can copy it.
   *
   * @param copy memory for so many bytes
   * @throws InternalError where the file has them no more, as Java itself throws it
   */
  public static Place of(MemorySegment segment, long offset, long bytes, MemorySegment copy) {
    if (NativeCode.COPY_MAPPED == null || !segment.isMapped()) {
      return new Place(segment, offset);
    }
    long source = NativeCode.reach(segment, offset, bytes);
    long target = NativeCode.reach(copy, 0, bytes);
    int done;
    try {
      done = (int) NativeCode.COPY_MAPPED.invokeExact(bytes, source, target);
    } catch (Throwable e) {
      throw NativeCode.impossible(e);
    }
    if (done < 0) {
      throw new InternalError("a mapped file was cut off while it was read");
    }
    return done == 0 ? new Place(segment, offset) : new Place(copy, 0);
  }

  /** A byte of a segment. */
  public record Place(MemorySegment segment, long offset) {}
}
