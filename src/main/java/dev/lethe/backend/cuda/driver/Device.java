package dev.lethe.backend.cuda.driver;

import dev.lethe.ArgumentException;
import java.lang.foreign.MemorySegment;

/**
 * One CUDA device as kernels need it: memory by address, copies, launches. Everything is queued in one
 * stream and runs in the order of the calls; {@link #download} and {@link #synchronize} wait. One thread at
 * a time may call.
 */
public interface Device extends AutoCloseable {
  /** Where its memory lies, for error messages: {@code "cuda:0"}. */
  String place();

  /** One line for people: name, compute capability, memory, driver. */
  String description();

  int multiprocessors();

  /** Bytes of shared memory that a block may use, those of its kernel's own arrays included. */
  int sharedMemory();

  /** Whether attention may take the kernels that need a Hopper GPU's products of warpgroups. */
  default boolean warpgroups() {
    return false;
  }

  /** Prepares the calling thread for libraries that use the context which is current for it. */
  default void enter() {}

  /** Raw handle of the stream that everything is queued in; 0 where there is none. */
  long stream();

  /**
   * Device memory of undefined contents, aligned to 256 bytes.
   *
   * @throws OutOfMemoryError with need, what there is, and a remedy
   */
  long allocate(long bytes);

  void free(long address);

  /** Copies host memory, heap or native, to the device; the segment may be reused at once. */
  void upload(MemorySegment host, long address);

  /** Copies device memory into a host segment and waits for it. */
  void download(long address, MemorySegment host);

  void copy(long source, long target, long bytes);

  /** Sets every byte. */
  void fill(long address, byte value, long bytes);

  /**
   * The handle of an exported kernel by its whole name, as in {@code gated_forward_silu_f32}.
   *
   * @throws ArgumentException where there is none of this name
   */
  long kernel(String name);

  /**
   * Queues a launch.
   *
   * @param kernel from {@link #kernel}
   * @param parameters an array of pointers to the arguments, as cuLaunchKernel takes it; read before this
   *     returns
   */
  void launch(long kernel, Grid grid, MemorySegment parameters);

  /** Waits until everything queued is done. */
  void synchronize();

  /** Bytes that the device could still give; more than any need where that is not known. */
  default long freeBytes() {
    return Long.MAX_VALUE;
  }

  /** Whether {@link #record} works. */
  default boolean canRecord() {
    return false;
  }

  /** Whether a {@link #record} is going on. */
  default boolean recording() {
    return false;
  }

  /**
   * Runs work whose launches, copies and fills are recorded instead of queued. Its other calls, which would
   * wait or allocate, fail with {@link RecordingRefused}, and so does this.
   *
   * @param work calls this device on the calling thread only
   */
  default Graph record(Runnable work) {
    throw new RecordingRefused(place() + " does not record");
  }

  /** A mark in the stream, not set yet. A device that does everything at once may take the clock's time. */
  default Mark newMark() {
    return new ClockMark();
  }

  /** A point of the stream whose time the device notes. */
  interface Mark extends AutoCloseable {
    /** Puts the mark behind everything queued so far; again moves it. */
    void set();

    /** Seconds between two marks; everything queued before the later one must be done. */
    double secondsUntil(Mark later);

    @Override
    void close();
  }

  /** Recorded launches, copies and fills, with their arguments as they were. */
  interface Graph extends AutoCloseable {
    /** Queues all of them. */
    void launch();

    @Override
    void close();
  }

  /** The work cannot be recorded. */
  final class RecordingRefused extends IllegalStateException {
    private static final long serialVersionUID = 1;

    public RecordingRefused(String reason) {
      super(reason);
    }
  }

  @Override
  void close();
}
