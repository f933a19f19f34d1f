package dev.lethe.backend.cuda.blas;

import dev.lethe.backend.cuda.driver.Device;
import dev.lethe.backend.cuda.driver.Grid;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;

/** A device without kernels whose memory is the host's. */
final class HostDevice implements Device {
  static final long STREAM = 0x5_71ea;

  private static final long ALIGNMENT = 256;

  private final Map<Long, Arena> blocks = new HashMap<>();
  private long most = Long.MAX_VALUE;
  private boolean recording;
  private int entered;
  private RuntimeException lost;

  void recording(boolean value) {
    recording = value;
  }

  /** What waiting for the device throws from now on. */
  void lose(RuntimeException failure) {
    lost = failure;
  }

  /** Larger blocks are refused. */
  void mostBytes(long bytes) {
    most = bytes;
  }

  /** Blocks handed out now. */
  int blocks() {
    return blocks.size();
  }

  int entered() {
    return entered;
  }

  @Override
  public String place() {
    return "host:0";
  }

  @Override
  public String description() {
    return "a host (host:0, of no capability)";
  }

  @Override
  public int multiprocessors() {
    return 3;
  }

  @Override
  public int sharedMemory() {
    return 48 << 10;
  }

  @Override
  public long stream() {
    return STREAM;
  }

  @Override
  public void enter() {
    entered++;
  }

  @Override
  public boolean recording() {
    return recording;
  }

  @Override
  public long allocate(long bytes) {
    if (recording) {
      throw new RecordingRefused("allocates");
    }
    if (bytes > most) {
      throw new OutOfMemoryError("no " + bytes);
    }
    Arena arena = Arena.ofShared();
    MemorySegment block = arena.allocate(bytes, ALIGNMENT).fill((byte) 0xff);
    blocks.put(block.address(), arena);
    return block.address();
  }

  @Override
  public void free(long address) {
    blocks.remove(address).close();
  }

  @Override
  public void upload(MemorySegment host, long address) {
    memory(address, host.byteSize()).copyFrom(host);
  }

  @Override
  public void download(long address, MemorySegment host) {
    host.copyFrom(memory(address, host.byteSize()));
  }

  @Override
  public void copy(long source, long target, long bytes) {
    memory(target, bytes).copyFrom(memory(source, bytes));
  }

  @Override
  public void fill(long address, byte value, long bytes) {
    memory(address, bytes).fill(value);
  }

  @Override
  public long kernel(String name) {
    throw new UnsupportedOperationException(name);
  }

  @Override
  public void launch(long kernel, Grid grid, MemorySegment parameters) {
    throw new UnsupportedOperationException();
  }

  @Override
  public void synchronize() {
    if (lost != null) {
      throw lost;
    }
    if (recording) {
      throw new RecordingRefused("waits");
    }
  }

  @Override
  public void close() {
    blocks.values().forEach(Arena::close);
    blocks.clear();
  }

  private static MemorySegment memory(long address, long bytes) {
    return MemorySegment.ofAddress(address).reinterpret(bytes);
  }
}
