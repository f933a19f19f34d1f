package dev.lethe.backend.cuda.driver;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/** A GPU by JCuda on the stand-in for the driver. When it is closed nothing may be left on it. */
final class FakeGpu implements AutoCloseable {
  /** The values of a vector that is read. */
  static final int COUNT = 5;

  static final Grid GRID = Grid.of(1, 256);

  final FakeDriver driver;
  final JCudaDevice device;
  private final Arena arena = Arena.ofConfined();
  private final List<Long> vectors = new ArrayList<>();
  private final List<Device.Graph> graphs = new ArrayList<>();

  private FakeGpu(FakeDriver driver, JCudaDevice device) {
    this.driver = driver;
    this.device = device;
  }

  /** A driver as in {@code "devices=1"}, and its first device. */
  static FakeGpu open(String configuration) {
    FakeDriver driver = FakeDriver.open(configuration);
    try {
      return new FakeGpu(driver, JCudaDevice.open(Gpu.find(0)));
    } catch (RuntimeException | Error e) {
      driver.close();
      throw e;
    }
  }

  /** Values on the device; freed with this. */
  long vector(float... values) {
    long address = device.allocate((long) values.length * Float.BYTES);
    vectors.add(address);
    device.upload(MemorySegment.ofArray(values), address);
    return address;
  }

  float[] read(long address) {
    float[] values = new float[COUNT];
    device.download(address, MemorySegment.ofArray(values));
    return values;
  }

  /** Records work that nobody launches; closed with this. */
  void record(Runnable work) {
    graphs.add(device.record(work));
  }

  /** The arguments of a launch of {@code vector_axpby}, y = ax + by. */
  MemorySegment axpby(float a, long x, float b, long y, long n) {
    MemorySegment values = arena.allocate(5 * Long.BYTES, Long.BYTES);
    values.set(ValueLayout.JAVA_FLOAT, 0, a);
    values.setAtIndex(ValueLayout.JAVA_LONG, 1, x);
    values.set(ValueLayout.JAVA_FLOAT, 2 * Long.BYTES, b);
    values.setAtIndex(ValueLayout.JAVA_LONG, 3, y);
    values.setAtIndex(ValueLayout.JAVA_LONG, 4, n);
    MemorySegment pointers = arena.allocate(5 * Long.BYTES, Long.BYTES);
    for (int i = 0; i < 5; i++) {
      pointers.setAtIndex(ValueLayout.JAVA_LONG, i, values.address() + (long) i * Long.BYTES);
    }
    return pointers;
  }

  @Override
  public void close() {
    try (driver;
        arena) {
      try (device) {
        graphs.forEach(Device.Graph::close);
        vectors.forEach(device::free);
      }
      driver.assertNothingLives();
    }
  }
}
