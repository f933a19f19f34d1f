package dev.lethe.backend.cuda;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.lethe.ArgumentException;
import dev.lethe.backend.contract.harness.GuardZones;
import dev.lethe.backend.cuda.driver.Device;
import dev.lethe.backend.cuda.driver.Grid;
import dev.lethe.backend.cuda.launch.Cuda;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * A device whose kernels run on the CPU: the library that native/emulator makes of {@code kernels/}. Memory
 * is poisoned with NaN when it is handed out and when it is taken back.
 */
public final class EmulatedDevice implements Device {
  private static final Path LIBRARY =
      Path.of(
          System.getProperty("lethe.native", "target/native"),
          "emulator",
          System.mapLibraryName("kernels_emulator"));
  private static final long ALIGNMENT = 256;
  private static final byte POISON = (byte) 0xff;

  /** C's own: an arena that any thread may close stops all threads for each block. */
  private static final MethodHandle MALLOC =
      ofC(
          "aligned_alloc",
          FunctionDescriptor.of(
              ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));

  private static final MethodHandle FREE =
      ofC("free", FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG));

  private final Arena library = Arena.ofShared();
  private final Map<Long, Long> blocks = new HashMap<>();
  private final Map<Long, String> names = new HashMap<>();
  private final Map<String, Traffic> traffic = new HashMap<>();
  private final MethodHandle launch;
  private final MethodHandle kernel;
  private final MethodHandle error;
  private final MethodHandle wideLoads;
  private final MethodHandle wideStores;
  private final MethodHandle forbid;
  private final MethodHandle permit;
  private final boolean warpgroups;
  private long seed;

  private EmulatedDevice(Path file, long seed, boolean warpgroups) {
    this.seed = seed;
    this.warpgroups = warpgroups;
    SymbolLookup symbols = SymbolLookup.libraryLookup(file, library);
    Linker linker = Linker.nativeLinker();
    launch =
        linker.downcallHandle(
            symbols.findOrThrow("lethe_emulator_launch"),
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_LONG,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.ADDRESS,
                ValueLayout.JAVA_LONG));
    kernel =
        linker.downcallHandle(
            symbols.findOrThrow("lethe_emulator_kernel"),
            FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.ADDRESS));
    error =
        linker.downcallHandle(
            symbols.findOrThrow("lethe_emulator_error"),
            FunctionDescriptor.of(ValueLayout.ADDRESS.withTargetLayout(unbounded())));
    FunctionDescriptor count = FunctionDescriptor.of(ValueLayout.JAVA_LONG);
    wideLoads = linker.downcallHandle(symbols.findOrThrow("lethe_emulator_wide_loads"), count);
    wideStores = linker.downcallHandle(symbols.findOrThrow("lethe_emulator_wide_stores"), count);
    FunctionDescriptor ofBytes =
        FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG);
    forbid = linker.downcallHandle(symbols.findOrThrow("lethe_emulator_forbid"), ofBytes);
    permit = linker.downcallHandle(symbols.findOrThrow("lethe_emulator_permit"), ofBytes);
  }

  /** The device, or a skipped test where the library was not built. */
  public static EmulatedDevice open() {
    return open(LIBRARY, 1, false);
  }

  /** The same for kernels of warpgroups too. */
  static EmulatedDevice openWithWarpgroups() {
    return open(LIBRARY, 1, true);
  }

  /** A device of another library; the seed fixes the order of warps. */
  static EmulatedDevice open(Path file, long seed, boolean warpgroups) {
    assumeTrue(
        Files.exists(file),
        () -> file + " is not there (no C++ compiler or cmake): kernels were NOT tested");
    return new EmulatedDevice(file, seed, warpgroups);
  }

  @Override
  public String place() {
    return "emulator";
  }

  @Override
  public String description() {
    return "kernels emulated on the CPU";
  }

  @Override
  public int multiprocessors() {
    return 2;
  }

  /** As on compute capability 8.6 and 12.0; more than that is granted to who takes it without asking. */
  @Override
  public int sharedMemory() {
    return 101_376;
  }

  @Override
  public boolean warpgroups() {
    return warpgroups;
  }

  @Override
  public long stream() {
    return 0;
  }

  @Override
  public long allocate(long bytes) {
    try {
      long address = (long) MALLOC.invokeExact(ALIGNMENT, Math.ceilDiv(bytes, ALIGNMENT) * ALIGNMENT);
      if (address == 0) {
        throw new OutOfMemoryError(bytes + " bytes for the emulated device");
      }
      fill(address, POISON, bytes);
      blocks.put(address, bytes);
      return address;
    } catch (Throwable e) {
      throw unchecked(e);
    }
  }

  @Override
  public void free(long address) {
    Long bytes = blocks.remove(address);
    if (bytes == null) {
      throw new ArgumentException("address %x was not allocated".formatted(address));
    }
    fill(address, POISON, bytes);
    release(address);
  }

  private static void release(long address) {
    try {
      FREE.invokeExact(address);
    } catch (Throwable e) {
      throw unchecked(e);
    }
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
    try (Arena arena = Arena.ofConfined()) {
      long handle = (long) kernel.invokeExact(arena.allocateFrom(name));
      if (handle == 0) {
        throw new ArgumentException("no kernel is exported as " + name);
      }
      names.put(handle, name);
      return handle;
    } catch (Throwable e) {
      throw unchecked(e);
    }
  }

  @Override
  public void launch(long handle, Grid grid, MemorySegment parameters) {
    try {
      int failed =
          (int)
              launch.invokeExact(
                  handle,
                  grid.x(),
                  grid.y(),
                  grid.z(),
                  grid.threads(),
                  grid.sharedBytes(),
                  parameters,
                  seed++);
      if (failed != 0) {
        MemorySegment text = (MemorySegment) error.invokeExact();
        throw new IllegalStateException(text.getString(0) + " (seed " + (seed - 1) + ")");
      }
      Traffic moved = new Traffic((long) wideLoads.invokeExact(), (long) wideStores.invokeExact());
      traffic.merge(names.get(handle), moved, Traffic::plus);
    } catch (Throwable e) {
      throw unchecked(e);
    }
  }

  /** Accesses of 16 bytes to device memory. */
  record Traffic(long loads, long stores) {
    Traffic plus(Traffic other) {
      return new Traffic(loads + other.loads, stores + other.stores);
    }
  }

  /** What the launches of a kernel moved so far, 16 bytes at a time; one element at a time is not counted. */
  Traffic traffic(String kernel) {
    return traffic.getOrDefault(kernel, new Traffic(0, 0));
  }

  /** Guard zones that kernels may not touch, where the library was built with AddressSanitizer. */
  GuardZones guardZones() {
    return new GuardZones() {
      @Override
      public void forbid(Tensor zone) {
        mark(forbid, zone);
      }

      @Override
      public void permit(Tensor zone) {
        mark(permit, zone);
      }
    };
  }

  private static void mark(MethodHandle function, Tensor zone) {
    try {
      function.invokeExact(Cuda.address(zone), zone.byteSize());
    } catch (Throwable e) {
      throw unchecked(e);
    }
  }

  @Override
  public void synchronize() {}

  @Override
  public void close() {
    blocks.keySet().forEach(EmulatedDevice::release);
    blocks.clear();
    library.close();
  }

  private static MethodHandle ofC(String name, FunctionDescriptor types) {
    Linker linker = Linker.nativeLinker();
    return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), types);
  }

  private static MemorySegment memory(long address, long bytes) {
    return MemorySegment.ofAddress(address).reinterpret(bytes);
  }

  private static MemoryLayout unbounded() {
    return MemoryLayout.sequenceLayout(Long.MAX_VALUE, ValueLayout.JAVA_BYTE);
  }

  private static RuntimeException unchecked(Throwable e) {
    if (e instanceof Error error) {
      throw error;
    }
    return e instanceof RuntimeException runtime ? runtime : new IllegalStateException(e);
  }
}
