package dev.lethe.backend.cuda.driver;

import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;

/**
 * A device whose launches do nothing, to measure what is spent before the driver: C's {@code abs}, which returns
 * at once and looks at one argument, stands where cuLaunchKernel would.
 */
public final class IdleDevice implements Device {
  private static final String RETURNS_AT_ONCE = "abs";

  private final Launcher launcher;
  private long nextAddress = 256;

  public IdleDevice() {
    SymbolLookup library = Linker.nativeLinker().defaultLookup();
    launcher = new Launcher(name -> library.find(RETURNS_AT_ONCE));
  }

  @Override
  public String place() {
    return "idle";
  }

  @Override
  public String description() {
    return "launches do nothing";
  }

  @Override
  public int multiprocessors() {
    return 132;
  }

  @Override
  public int sharedMemory() {
    return 232_448;
  }

  @Override
  public long stream() {
    return 0;
  }

  @Override
  public long allocate(long bytes) {
    long address = nextAddress;
    nextAddress += Math.ceilDiv(bytes, 256) * 256;
    return address;
  }

  @Override
  public void free(long address) {}

  @Override
  public void upload(MemorySegment host, long address) {}

  @Override
  public void download(long address, MemorySegment host) {}

  @Override
  public void copy(long source, long target, long bytes) {}

  @Override
  public void fill(long address, byte value, long bytes) {}

  @Override
  public long kernel(String name) {
    return 1;
  }

  @Override
  public void launch(long kernel, Grid grid, MemorySegment parameters) {
    launcher.launch(kernel, grid, stream(), parameters.address());
  }

  @Override
  public void synchronize() {}

  @Override
  public void close() {}
}
