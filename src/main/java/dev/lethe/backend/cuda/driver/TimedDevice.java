package dev.lethe.backend.cuda.driver;

import dev.lethe.backend.KernelTime;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A device with a mark before and behind every launch. The marks are read in bunches, when so many launches are queued
 * or the times are asked for. It does not record: a recording holds no marks.
 */
public final class TimedDevice implements Device {
  private static final int BUNCH = 512;

  private final Device device;
  private final Map<Long, String> names = new HashMap<>();
  private final List<Span> spans = new ArrayList<>();
  private final List<KernelTime> times = new ArrayList<>();
  private int pending;

  /** The device is closed with this. */
  public TimedDevice(Device device) {
    this.device = device;
  }

  /** Runs work that queues something in the stream, and notes how long that takes the device. */
  public void time(String name, Runnable work) {
    if (pending == spans.size()) {
      spans.add(new Span(device.newMark(), device.newMark()));
    }
    Span span = spans.get(pending);
    span.from.set();
    work.run();
    span.to.set();
    span.name = name;
    pending++;
    if (pending == BUNCH) {
      read();
    }
  }

  @Override
  public List<KernelTime> takeKernelTimes() {
    read();
    List<KernelTime> taken = KernelTime.total(times);
    times.clear();
    return taken;
  }

  private void read() {
    device.synchronize();
    for (Span span : spans.subList(0, pending)) {
      times.add(new KernelTime(span.name, 1, span.from.secondsUntil(span.to)));
    }
    pending = 0;
  }

  @Override
  public long kernel(String name) {
    long handle = device.kernel(name);
    names.put(handle, name);
    return handle;
  }

  @Override
  public void launch(long kernel, Grid grid, MemorySegment parameters) {
    time(names.get(kernel), () -> device.launch(kernel, grid, parameters));
  }

  @Override
  public String place() {
    return device.place();
  }

  @Override
  public String description() {
    return device.description();
  }

  @Override
  public int multiprocessors() {
    return device.multiprocessors();
  }

  @Override
  public void enter() {
    device.enter();
  }

  @Override
  public long stream() {
    return device.stream();
  }

  @Override
  public long allocate(long bytes) {
    return device.allocate(bytes);
  }

  @Override
  public void free(long address) {
    device.free(address);
  }

  @Override
  public long freeBytes() {
    return device.freeBytes();
  }

  @Override
  public void upload(MemorySegment host, long address) {
    device.upload(host, address);
  }

  @Override
  public void download(long address, MemorySegment host) {
    device.download(address, host);
  }

  @Override
  public void copy(long source, long target, long bytes) {
    time("copy", () -> device.copy(source, target, bytes));
  }

  @Override
  public void fill(long address, byte value, long bytes) {
    time("fill", () -> device.fill(address, value, bytes));
  }

  @Override
  public void synchronize() {
    device.synchronize();
  }

  @Override
  public void close() {
    for (Span span : spans) {
      span.from.close();
      span.to.close();
    }
    device.close();
  }

  /** The marks round a launch. */
  private static final class Span {
    private final Mark from;
    private final Mark to;
    private String name;

    private Span(Mark from, Mark to) {
      this.from = from;
      this.to = to;
    }
  }
}
