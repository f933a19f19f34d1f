package dev.lethe.backend.cuda.driver;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.EnvironmentException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A GPU by JCuda, from the first call to the last, on the stand-in for the driver. */
class JCudaDeviceTest {
  private static final List<String> KINDS =
      List.of(
          "context", "stream", "event", "module", "graph", "executable", "memory", "pinned");
  private static final int COUNT = 5;
  private static final Grid GRID = Grid.of(1, 256);

  private final List<Long> vectors = new ArrayList<>();
  private final List<Device.Graph> graphs = new ArrayList<>();

  @Test
  void describesItself() {
    with(
        "devices=1 capability=90 multiprocessors=7 memory=2000000000",
        (driver, device) -> {
          assertEquals("cuda:0", device.place());
          assertEquals(
              "Fake GPU 0 (cuda:0, compute capability 9.0, 2 GB, driver for CUDA 13.0)",
              device.description());
          assertEquals(7, device.multiprocessors());
          assertEquals(2_000_000_000L, device.freeBytes());
          assertTrue(device.canRecord());
          assertTrue(device.stream() != 0);
        });
  }

  @Test
  void everythingIsGivenBack() {
    with(
        "devices=1",
        (driver, device) -> {
          long address = device.allocate(1000);
          device.upload(MemorySegment.ofArray(new byte[1000]), address);
          Device.Graph graph = device.record(() -> device.fill(address, (byte) 1, 1000));
          graph.launch();
          device.kernel("vector_axpby");
          assertTrue(driver.live("module") > 0 && driver.live("executable") == 1);
          assertEquals(0, driver.live("graph"), "the graph that the executable was made of");
          graph.close();
          graph.close();
          device.free(address);
        });
  }

  @Test
  void aDeviceThatDoesNotOpenLeavesNothing() {
    for (String failure : new String[] {"cuModuleLoadData=1:209", "cuStreamCreate=1:999"}) {
      try (FakeDriver driver = FakeDriver.open("devices=1 " + failure)) {
        Gpu gpu = Gpu.find(0);
        assertThrows(EnvironmentException.class, () -> JCudaDevice.open(gpu));
        assertNothingLives(driver);
      }
    }
  }

  @Test
  void copiesOfAllSizesArrive() {
    with(
        "devices=1",
        (driver, device) -> {
          for (int size : new int[] {1, 4096, (16 << 20) + 7, 50_000_001}) {
            byte[] sent = new byte[size];
            for (int i = 0; i < size; i++) {
              sent[i] = (byte) (i * 31 ^ i >> 11);
            }
            long address = device.allocate(2L * size);
            device.upload(MemorySegment.ofArray(sent), address);
            device.copy(address, address + size, size);
            byte[] back = new byte[size];
            device.download(address + size, MemorySegment.ofArray(back));
            assertArrayEquals(sent, back, size + " bytes");
            device.free(address);
          }
        });
  }

  @Test
  void argumentsArriveAsTheyWereSent() {
    with(
        "devices=1",
        (driver, device) -> {
          try (Arena arena = Arena.ofConfined()) {
            long x = vector(device, 1, 2, 3, 4, 5);
            long y = vector(device, 10, 20, 30, 40, 50);
            Grid grid = new Grid(3, 2, 4, 128, 512);
            long kernel = device.kernel("vector_axpby");
            MemorySegment sent = axpby(arena, -1.5f, x, 0x1p-3f, y + 8, 3);
            graphs.add(device.record(() -> device.launch(kernel, grid, sent)));
            String[] words = driver.lastLaunch().split(" ");
            assertEquals(
                List.of("vector_axpby", "3", "2", "4", "128", "512"),
                List.of(words).subList(0, 6));
            assertEquals(11, words.length, driver.lastLaunch());
            assertEquals(-1.5f, asFloat(words[6]));
            assertEquals(x, asLong(words[7]));
            assertEquals(0x1p-3f, asFloat(words[8]));
            assertEquals(y + 8, asLong(words[9]), "an address within a block");
            assertEquals(3, asLong(words[10]));
            long count = 0x7edc_ba98_7654_3210L;
            MemorySegment odd = axpby(arena, Float.NaN, 0, 0, -1, count);
            graphs.add(device.record(() -> device.launch(kernel, GRID, odd)));
            words = driver.lastLaunch().split(" ");
            assertEquals(Float.floatToIntBits(Float.NaN), (int) asLong(words[6]));
            assertEquals(0, asLong(words[7]), "null");
            assertEquals(-1, asLong(words[9]), "all bits");
            assertEquals(count, asLong(words[10]));
          }
        });
  }

  @Test
  void argumentsMayChangeAsSoonAsALaunchIsQueued() {
    with(
        "devices=1",
        (driver, device) -> {
          try (Arena arena = Arena.ofConfined()) {
            long x = vector(device, 1, 2, 3, 4, 5);
            long y = vector(device, 10, 20, 30, 40, 50);
            MemorySegment parameters = axpby(arena, 2, x, 1, y, COUNT);
            device.launch(device.kernel("vector_axpby"), GRID, parameters);
            parameters.fill((byte) 0);
            assertArrayEquals(new float[] {12, 24, 36, 48, 60}, read(device, y));
          }
        });
  }

  @Test
  void aRecordingRunsNothingUntilItIsLaunched() {
    with(
        "devices=1",
        (driver, device) -> {
          try (Arena arena = Arena.ofConfined()) {
            long x = vector(device, 1, 2, 3, 4, 5);
            long y = vector(device, 0, 0, 0, 0, 0);
            long axpby = device.kernel("vector_axpby");
            try (Device.Graph graph =
                device.record(
                    () -> {
                      assertTrue(device.recording());
                      device.launch(axpby, GRID, axpby(arena, 1, x, 1, y, COUNT));
                      device.launch(axpby, GRID, axpby(arena, 1, x, 2, y, COUNT));
                    })) {
              assertFalse(device.recording());
              assertArrayEquals(new float[COUNT], read(device, y));
              assertEquals(0, driver.calls("kernel"));
              graph.launch();
              assertArrayEquals(new float[] {3, 6, 9, 12, 15}, read(device, y));
              graph.launch();
              assertArrayEquals(new float[] {9, 18, 27, 36, 45}, read(device, y));
              assertEquals(4, driver.calls("kernel"));
              graph.close();
              assertThrows(IllegalStateException.class, graph::launch);
            }
          }
        });
  }

  @Test
  void whatARecordingCannotHoldIsRefusedAndTheDeviceGoesOn() {
    with(
        "devices=1",
        (driver, device) -> {
          long address = vector(device, 1, 2, 3, 4, 5);
          byte[] bytes = new byte[4];
          List<Runnable> refused =
              List.of(
                  () -> device.allocate(16),
                  () -> device.free(address),
                  () -> device.upload(MemorySegment.ofArray(bytes), address),
                  () -> device.download(address, MemorySegment.ofArray(bytes)),
                  device::synchronize,
                  () -> device.record(() -> {}));
          for (Runnable work : refused) {
            assertThrows(Device.RecordingRefused.class, () -> device.record(work));
            assertFalse(device.recording());
          }
          IllegalArgumentException own = new IllegalArgumentException("of the work");
          Runnable failing =
              () -> {
                device.fill(address, (byte) 7, 4);
                throw own;
              };
          assertEquals(
              own, assertThrows(IllegalArgumentException.class, () -> device.record(failing)));
          assertArrayEquals(new float[] {1, 2, 3, 4, 5}, read(device, address));
        });
  }

  @ParameterizedTest
  @CsvSource({
    "cuStreamBeginCapture_v2=1:900, true",
    "cuStreamEndCapture=1:901, true",
    "cuGraphInstantiateWithFlags=1:2, false"
  })
  void aDriverThatDoesNotRecord(String failure, boolean refused) {
    with(
        "devices=1",
        (driver, device) -> {
          long address = vector(device, 1, 2, 3, 4, 5);
          driver.configure("devices=1 " + failure);
          RuntimeException e =
              assertThrows(
                  RuntimeException.class,
                  () -> device.record(() -> device.fill(address, (byte) 0, 4)));
          assertEquals(refused, e instanceof Device.RecordingRefused, e.toString());
          assertTrue(refused || e instanceof EnvironmentException, e.toString());
          assertEquals(0, driver.live("graph"));
          driver.configure("devices=1");
          assertArrayEquals(new float[] {1, 2, 3, 4, 5}, read(device, address));
        });
  }

  @Test
  void outOfMemorySaysWhatIsWantedAndWhatThereIs() {
    with(
        "devices=1 memory=104857600",
        (driver, device) -> {
          long held = device.allocate(60 << 20);
          OutOfMemoryError e =
              assertThrows(OutOfMemoryError.class, () -> device.allocate(50 << 20));
          assertEquals(
              "Fake GPU 0 has 40 MiB of 100 MiB left and 51 MiB more were wanted",
              e.getMessage());
          device.free(held);
          device.free(device.allocate(50 << 20));
        });
  }

  @ParameterizedTest
  @ValueSource(ints = {700, 702, 710, 714, 715, 716, 717, 718, 719})
  void aLostContextIsOneLineAndStaysLost(int code) {
    with(
        "devices=1 kernel=1:" + code,
        (driver, device) -> {
          try (Arena arena = Arena.ofConfined()) {
            long x = vector(device, 1, 2, 3, 4, 5);
            long axpby = device.kernel("vector_axpby");
            MemorySegment parameters = axpby(arena, 1, x, 1, x, COUNT);
            device.launch(axpby, GRID, parameters);
            final String message =
                assertThrows(EnvironmentException.class, device::synchronize).getMessage();
            assertTrue(message.contains("(" + code + ")"), message);
            assertTrue(message.contains("vector_axpby"), message);
            assertTrue(message.contains("start it again"), message);
            assertFalse(message.contains("\n"), message);
            List<Runnable> later =
                List.of(
                    () -> device.allocate(1),
                    () -> device.upload(MemorySegment.ofArray(new byte[1]), x),
                    () -> device.download(x, MemorySegment.ofArray(new byte[1])),
                    () -> device.launch(axpby, GRID, parameters),
                    () -> device.record(() -> {}),
                    () -> device.fill(x, (byte) 0, 1),
                    () -> device.copy(x, x, 1),
                    () -> device.kernel("vector_fill"),
                    device::freeBytes,
                    device::synchronize);
            for (Runnable call : later) {
              assertEquals(
                  message, assertThrows(EnvironmentException.class, call::run).getMessage());
            }
            device.free(x);
          }
        });
  }

  @Test
  void aFailureThatLeavesTheContextWholeIsNotLost() {
    with(
        "devices=1",
        (driver, device) -> {
          long x = vector(device, 1, 2, 3, 4, 5);
          driver.configure("devices=1 cuMemsetD8Async=1:1");
          EnvironmentException e =
              assertThrows(EnvironmentException.class, () -> device.fill(x, (byte) 0, 4));
          assertTrue(e.getMessage().contains("filling device memory failed"), e.getMessage());
          assertArrayEquals(new float[] {1, 2, 3, 4, 5}, read(device, x));
        });
  }

  @Test
  void otherThreadsMayCallOneAfterAnother() {
    with(
        "devices=1",
        (driver, device) -> {
          long x = vector(device, 1, 2, 3, 4, 5);
          for (boolean virtual : new boolean[] {false, true}) {
            AtomicReference<Object> result = new AtomicReference<>();
            Runnable work =
                () -> {
                  try {
                    result.set(read(device, x));
                  } catch (RuntimeException | Error e) {
                    result.set(e);
                  }
                };
            join(virtual ? Thread.ofVirtual().start(work) : Thread.ofPlatform().start(work));
            assertArrayEquals(new float[] {1, 2, 3, 4, 5}, (float[]) result.get());
          }
          assertArrayEquals(new float[] {1, 2, 3, 4, 5}, read(device, x));
        });
  }

  @Test
  void useAfterClose() {
    try (FakeDriver driver = FakeDriver.open("devices=1")) {
      JCudaDevice device = JCudaDevice.open(Gpu.find(0));
      device.close();
      device.close();
      IllegalStateException e =
          assertThrows(IllegalStateException.class, () -> device.allocate(1));
      assertEquals("cuda:0 is closed", e.getMessage());
      assertNothingLives(driver);
    }
  }

  @FunctionalInterface
  private interface Body {
    void run(FakeDriver driver, JCudaDevice device);
  }

  /** Runs a test on a device; afterwards nothing is left. */
  private void with(String configuration, Body body) {
    try (FakeDriver driver = FakeDriver.open(configuration)) {
      try (JCudaDevice device = JCudaDevice.open(Gpu.find(0))) {
        body.run(driver, device);
        graphs.forEach(Device.Graph::close);
        vectors.forEach(device::free);
      }
      assertNothingLives(driver);
    }
  }

  private long vector(Device device, float... values) {
    long address = device.allocate((long) values.length * Float.BYTES);
    vectors.add(address);
    device.upload(MemorySegment.ofArray(values), address);
    return address;
  }

  private static void assertNothingLives(FakeDriver driver) {
    for (String kind : KINDS) {
      assertEquals(0, driver.live(kind), kind + " not given back");
    }
  }

  private static float[] read(Device device, long address) {
    float[] values = new float[COUNT];
    device.download(address, MemorySegment.ofArray(values));
    return values;
  }

  private static MemorySegment axpby(Arena arena, float a, long x, float b, long y, long n) {
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

  private static long asLong(String hex) {
    return Long.parseUnsignedLong(hex, 16);
  }

  private static float asFloat(String hex) {
    return Float.intBitsToFloat((int) asLong(hex));
  }

  private static void join(Thread thread) {
    try {
      thread.join();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }
}
