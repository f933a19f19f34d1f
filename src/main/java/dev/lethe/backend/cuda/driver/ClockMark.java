package dev.lethe.backend.cuda.driver;

/** A mark of a device that has done a call's work when the call returns. */
final class ClockMark implements Device.Mark {
  private long nanos;

  @Override
  public void set() {
    nanos = System.nanoTime();
  }

  @Override
  public double secondsUntil(Device.Mark later) {
    return (((ClockMark) later).nanos - nanos) * 1e-9;
  }

  @Override
  public void close() {}
}
