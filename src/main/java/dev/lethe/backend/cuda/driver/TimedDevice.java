package dev.lethe.backend.cuda.driver;

import dev.lethe.backend.KernelClock;
import dev.lethe.backend.KernelTime;
import dev.lethe.backend.KernelTime.Level;
import dev.lethe.backend.kernel.KernelCost;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A device with a mark before and behind every launch. The marks are read in bunches, when so many launches are queued
 * or the times are asked for. It does not record: a recording holds no marks.
 *
 * <p>As the clock of a backend it knows which call a launch belongs to: a call took what its launches took. Where it
 * or a part of it launched one kernel only, that kernel's cost is the call's or the part's; of others it is not known.
 */
public final class TimedDevice implements Device, KernelClock {
  private static final int BUNCH = 512;

  private final Device device;
  private final Map<Long, String> names = new HashMap<>();
  private final List<Span> spans = new ArrayList<>();
  private final List<KernelTime> times = new ArrayList<>();
  private int pending;
  private Call call;

  /** The device is closed with this. */
  public TimedDevice(Device device) {
    this.device = device;
  }

  @Override
  public void time(String name, KernelCost cost, Runnable work) {
    Call outer = call;
    call = new Call(name, cost);
    try {
      work.run();
    } finally {
      times.add(new KernelTime(Level.CALL, name, 1, 0, cost));
      call = outer;
      readFullBunch();
    }
  }

  /** Runs a part of a call whose own cost is known. */
  public void part(KernelCost cost, Runnable work) {
    Call outer = call;
    call = new Call(outer == null ? null : outer.name, cost);
    try {
      work.run();
    } finally {
      if (outer != null) {
        outer.launches += call.launches;
      }
      call = outer;
      readFullBunch();
    }
  }

  /** Runs work that queues something in the stream, and notes how long that takes the device. */
  public void launch(String name, KernelCost cost, Runnable work) {
    if (pending == spans.size()) {
      spans.add(new Span(device.newMark(), device.newMark()));
    }
    Span span = spans.get(pending);
    span.from.set();
    work.run();
    span.to.set();
    span.name = name;
    span.cost = cost;
    span.call = call;
    if (call != null) {
      call.launches++;
    }
    pending++;
    readFullBunch();
  }

  /** Between calls only, when it is known how many launches each has made. */
  private void readFullBunch() {
    if (pending >= BUNCH && call == null) {
      read();
    }
  }

  @Override
  public List<KernelTime> take() {
    read();
    List<KernelTime> taken = KernelTime.total(times);
    times.clear();
    return taken;
  }

  private void read() {
    device.synchronize();
    for (Span span : spans.subList(0, pending)) {
      double seconds = span.from.secondsUntil(span.to);
      KernelCost cost = span.cost;
      if (span.call != null) {
        if (span.call.name != null) {
          times.add(new KernelTime(Level.CALL, span.call.name, 0, seconds, KernelCost.NONE));
        }
        cost = !cost.known() && span.call.launches == 1 ? span.call.cost : cost;
      }
      times.add(new KernelTime(Level.LAUNCH, span.name, 1, seconds, cost));
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
    launch(names.get(kernel), KernelCost.UNKNOWN, () -> device.launch(kernel, grid, parameters));
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
  public int sharedMemory() {
    return device.sharedMemory();
  }

  @Override
  public boolean warpgroups() {
    return device.warpgroups();
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
    KernelCost cost = new KernelCost(0, 2.0 * bytes);
    launch("copy", cost, () -> device.copy(source, target, bytes));
  }

  @Override
  public void fill(long address, byte value, long bytes) {
    KernelCost cost = new KernelCost(0, bytes);
    launch("fill", cost, () -> device.fill(address, value, bytes));
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
    private KernelCost cost;
    private Call call;

    private Span(Mark from, Mark to) {
      this.from = from;
      this.to = to;
    }
  }

  /** A call of a kernel, and what it has launched. */
  private static final class Call {
    private final String name;
    private final KernelCost cost;
    private int launches;

    private Call(String name, KernelCost cost) {
      this.name = name;
      this.cost = cost;
    }
  }
}
