package dev.lethe.backend.cuda.driver;

import java.lang.foreign.MemorySegment;
import jcuda.driver.CUevent;
import jcuda.driver.CUevent_flags;
import jcuda.driver.JCudaDriver;

/**
 * Two buffers of pinned host memory that copies between host and device go through: while the device reads
 * one, the other is filled. Small copies share a buffer one after another, so that nobody waits until both
 * are full.
 */
final class Staging {
  private static final long BYTES = 16L << 20;
  private static final long ALIGNMENT = 64;

  private final JCudaDevice device;
  private final Buffer[] buffers = new Buffer[2];
  private int current;

  Staging(JCudaDevice device) {
    this.device = device;
  }

  private static final class Buffer {
    final Handles.HostMemory pointer = new Handles.HostMemory();
    final CUevent read = new CUevent();
    MemorySegment memory;
    long used;
  }

  /** Queues copies to the device; the segment may be reused at once. */
  void upload(MemorySegment host, long address) {
    for (long done = 0; done < host.byteSize(); ) {
      Buffer buffer = withRoom();
      long bytes = Math.min(host.byteSize() - done, BYTES - buffer.used);
      MemorySegment part = buffer.memory.asSlice(buffer.used, bytes);
      part.copyFrom(host.asSlice(done, bytes));
      device.check(
          JCudaDriver.cuMemcpyHtoDAsync(
              new Handles.DeviceMemory(address + done),
              new Handles.HostMemory(part),
              bytes,
              device.cuStream()),
          "copying to the device");
      buffer.used += Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT;
      done += bytes;
    }
  }

  /** Copies to the host and waits. */
  void download(long address, MemorySegment host) {
    for (long done = 0; done < host.byteSize(); ) {
      Buffer buffer = buffer();
      long bytes = Math.min(host.byteSize() - done, BYTES);
      MemorySegment part = buffer.memory.asSlice(0, bytes);
      device.check(
          JCudaDriver.cuMemcpyDtoHAsync(
              new Handles.HostMemory(part),
              new Handles.DeviceMemory(address + done),
              bytes,
              device.cuStream()),
          "copying from the device");
      device.synchronize();
      host.asSlice(done, bytes).copyFrom(part);
      done += bytes;
    }
  }

  /** The device has done everything queued. */
  void allRead() {
    for (Buffer buffer : buffers) {
      if (buffer != null) {
        buffer.used = 0;
      }
    }
  }

  /** The current buffer, or the other one where it is full, as soon as the device has read that. */
  private Buffer withRoom() {
    Buffer buffer = buffer();
    if (buffer.used < BYTES) {
      return buffer;
    }
    device.check(JCudaDriver.cuEventRecord(buffer.read, device.cuStream()), "marking a copy");
    current = 1 - current;
    Buffer other = buffer();
    if (other.used > 0) {
      device.check(JCudaDriver.cuEventSynchronize(other.read), "waiting for a copy");
      other.used = 0;
    }
    return other;
  }

  private Buffer buffer() {
    if (buffers[current] == null) {
      Buffer made = new Buffer();
      device.check(
          JCudaDriver.cuMemHostAlloc(made.pointer, BYTES, 0), "allocating pinned host memory");
      made.memory = made.pointer.segment(BYTES);
      device.check(
          JCudaDriver.cuEventCreate(made.read, CUevent_flags.CU_EVENT_DISABLE_TIMING),
          "making an event");
      buffers[current] = made;
    }
    return buffers[current];
  }

  /** Gives the buffers back; the device must be idle. */
  void close() {
    for (Buffer buffer : buffers) {
      if (buffer != null) {
        JCudaDriver.cuEventDestroy(buffer.read);
        JCudaDriver.cuMemFreeHost(buffer.pointer);
      }
    }
  }
}
