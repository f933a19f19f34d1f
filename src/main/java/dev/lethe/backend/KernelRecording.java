package dev.lethe.backend;

/** Work that is repeated unchanged, from {@link Backend#record}. */
public interface KernelRecording extends AutoCloseable {
  /** Does the work once; its results are as of running it anew. */
  void replay();

  /** Whether a replay is one call of the device instead of running the work. */
  boolean recorded();

  /** Gives back what the recording keeps; closing twice is harmless. */
  @Override
  void close();

  /** Runs the work at every replay. */
  static KernelRecording none(Runnable work) {
    return new KernelRecording() {
      @Override
      public void replay() {
        work.run();
      }

      @Override
      public boolean recorded() {
        return false;
      }

      @Override
      public void close() {}
    };
  }
}
