package dev.lethe.backend.cuda.driver;

import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.JCudaDriver;

/** A mark by a CUDA event, good to about half a microsecond. */
final class EventMark implements Device.Mark {
  private final JCudaDevice device;
  private final CUevent event = new CUevent();

  /** The device's context must be current. */
  EventMark(JCudaDevice device) {
    this.device = device;
    device.check(
        JCudaDriver.cuEventCreate(event, CUevent_flags.CU_EVENT_DEFAULT), "making an event");
  }

  @Override
  public void set() {
    device.enter();
    device.check(JCudaDriver.cuEventRecord(event, device.cuStream()), "recording an event");
  }

  @Override
  public double secondsUntil(Device.Mark later) {
    device.enter();
    float[] milliseconds = new float[1];
    device.check(
        JCudaDriver.cuEventElapsedTime(milliseconds, event, ((EventMark) later).event),
        "reading an event");
    return milliseconds[0] * 1e-3;
  }

  @Override
  public void close() {
    JCudaDriver.cuEventDestroy(event);
  }
}
