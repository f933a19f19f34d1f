package dev.lethe.backend.cuda.blas;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.EnvironmentException;
import dev.lethe.backend.cuda.driver.Device;
import dev.lethe.tensor.DType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which algorithm cuBLASLt is given, and that it stays. Long because all of it shares the stand-in's proposals. */
final class CublasLtProductsTest {
  private static final int M = 150;
  private static final int N = 140;
  private static final int K = 121;

  /** Of the stand-in's proposals, those that may be used sum forwards, backwards and odd after even. */
  private static final int FORWARDS = 0;

  private static final int BACKWARDS = 1;
  private static final int ODD_AFTER_EVEN = 2;

  @TempDir Path folder;

  private final HostDevice device = new HostDevice();
  private final NoProducts spare = new NoProducts();
  private final List<Long> orders = new ArrayList<>();
  private FakeCublas library;
  private Path file;

  @BeforeEach
  void open() {
    library = FakeCublas.lt("version=130101");
    file = folder.resolve("algorithms.txt");
  }

  @AfterEach
  void nothingIsLeft() {
    assertEquals(0, library.count("live"), "descriptors and handles");
  }

  private CublasLtProducts products(AlgorithmStore store, double... secondsByOrder) {
    EventStopwatch stopwatch =
        work -> {
          work.run();
          long order = library.count("order");
          orders.add(order);
          return secondsByOrder[(int) order];
        };
    return products(store, stopwatch);
  }

  private CublasLtProducts products(AlgorithmStore store, EventStopwatch stopwatch) {
    Path path = FakeCublas.FOLDER.resolve("libcublasLt.so.13");
    SymbolLookup symbols = SymbolLookup.libraryLookup(path, Arena.global());
    CublasLt lt = new CublasLt(new VendorLibrary(path.toString(), 13, symbols));
    return new CublasLtProducts(lt, device, spare, store, stopwatch);
  }

  /** A product, and C as it was. */
  private record Case(Product product, float[] old) {}

  private Case random(double beta) {
    Random random = new Random(7);
    float[][] values = {new float[M * K], new float[K * N], new float[M * N]};
    Operand[] operands = new Operand[3];
    for (int i = 0; i < 3; i++) {
      for (int j = 0; j < values[i].length; j++) {
        values[i][j] = (float) random.nextGaussian();
      }
      long address = device.allocate(4L * values[i].length);
      device.upload(MemorySegment.ofArray(values[i]), address);
      operands[i] = Operand.of(address, DType.F32, i == 0 ? K : N);
    }
    return new Case(
        new Product(M, N, K, 1, operands[0], operands[1], null, beta, operands[2], 1), values[2]);
  }

  private float[] multiply(Products products, Case c) {
    device.upload(MemorySegment.ofArray(c.old), c.product.c().address());
    products.multiply(c.product);
    float[] result = new float[M * N];
    device.download(c.product.c().address(), MemorySegment.ofArray(result));
    return result;
  }

  @Test
  void theFastestOfTheUsableIsTakenAndKept() throws IOException {
    Case c = random(0);
    float[] first;
    try (CublasLtProducts products = products(new AlgorithmStore(file), 3, 1, 2)) {
      first = multiply(products, c);
      assertEquals(List.of(0L, 1L, 2L), orders, "each usable proposal was timed once");
      assertEquals(BACKWARDS, library.count("order"));
      assertArrayEquals(first, multiply(products, c));
      assertEquals(3, orders.size(), "a second call times nothing");
    }
    assertEquals(1, Files.readAllLines(file).size());
    try (CublasLtProducts products = products(new AlgorithmStore(file), 1, 3, 3)) {
      assertArrayEquals(first, multiply(products, c), "a later process gets the same bytes");
      assertEquals(3, orders.size(), "and times nothing");
    }
  }

  @Test
  void timingDoesNotDisturbWhatIsAddedTo() {
    Case c = random(1);
    float[] expected;
    try (CublasLtProducts untimed = products(new AlgorithmStore(null), 0, 0, 0)) {
      expected = multiply(untimed, c);
    }
    int before = device.blocks();
    try (CublasLtProducts products = products(new AlgorithmStore(file), 1, 2, 3)) {
      assertArrayEquals(expected, multiply(products, c));
      assertEquals(3, orders.size());
    }
    assertEquals(before, device.blocks(), "the copy of C was given back");
  }

  @Test
  void withoutMemoryForACopyTheFirstProposalIsTaken() {
    Case c = random(1);
    try (CublasLtProducts products = products(new AlgorithmStore(file), 3, 1, 2)) {
      device.mostBytes(1);
      multiply(products, c);
      assertEquals(FORWARDS, library.count("order"));
    }
    assertEquals(List.of(), orders);
  }

  @Test
  void aChoiceThatCannotBeKeptIsNotTimed() {
    Case c = random(0);
    Path nowhere = folder.resolve("absent").resolve("algorithms.txt");
    for (AlgorithmStore store : List.of(new AlgorithmStore(null), new AlgorithmStore(nowhere))) {
      orders.clear();
      try (CublasLtProducts products = products(store, 3, 1, 2)) {
        multiply(products, c);
        Product other =
            Product.of(M - 1, N, K, 1, c.product.a(), c.product.b(), c.product.c());
        orders.clear();
        products.multiply(other);
        assertEquals(List.of(), orders);
        assertEquals(FORWARDS, library.count("order"));
      }
    }
  }

  @Test
  void nothingIsTimedWhileTheDeviceRecords() {
    Case c = random(0);
    try (CublasLtProducts products = products(new AlgorithmStore(file), 3, 1, 2)) {
      device.recording(true);
      float[] recorded = multiply(products, c);
      device.recording(false);
      assertEquals(FORWARDS, library.count("order"));
      assertArrayEquals(recorded, multiply(products, c), "and the choice stays");
      assertEquals(List.of(), orders);
    }
  }

  @Test
  void whatTheFileHoldsAndTheLibraryDoesNotTakeIsTimedAgain() throws IOException {
    Case c = random(0);
    try (CublasLtProducts products = products(new AlgorithmStore(file), 3, 1, 2)) {
      multiply(products, c);
    }
    String line = Files.readString(file);
    int digits = line.indexOf('\t') + 1;
    String foreign = line.substring(0, digits) + "00" + line.substring(digits + 2);
    Files.writeString(file, "no line of ours\n" + foreign.strip());
    orders.clear();
    try (CublasLtProducts products = products(new AlgorithmStore(file), 3, 2, 1)) {
      multiply(products, c);
      assertEquals(3, orders.size());
      assertEquals(ODD_AFTER_EVEN, library.count("order"));
    }
    try (CublasLtProducts products = products(new AlgorithmStore(file), 1, 2, 3)) {
      multiply(products, c);
      assertEquals(ODD_AFTER_EVEN, library.count("order"), "the later line counts");
    }
  }

  @Test
  void theFirstOfTwoProcessesDecides() {
    Case c = random(0);
    AlgorithmStore readBefore = new AlgorithmStore(file);
    try (CublasLtProducts products = products(new AlgorithmStore(file), 3, 1, 2)) {
      multiply(products, c);
    }
    try (CublasLtProducts products = products(readBefore, 1, 3, 2)) {
      multiply(products, c);
      assertEquals(BACKWARDS, library.count("order"));
    }
  }

  @Test
  void smallProductsAreNotTimed() {
    Case c = random(0);
    Product small = Product.of(30, 30, 30, 1, c.product.a(), c.product.b(), c.product.c());
    try (CublasLtProducts products = products(new AlgorithmStore(file), 3, 1, 2)) {
      products.multiply(small);
    }
    assertEquals(List.of(), orders);
    assertTrue(Files.notExists(file));
  }

  @Test
  void inTheSteadyStateNothingIsMadeOrAsked() {
    Case c = random(0);
    try (CublasLtProducts products = products(new AlgorithmStore(null), 0, 0, 0)) {
      multiply(products, c);
      long made = library.count("operations");
      long live = library.count("live");
      for (int i = 0; i < 5; i++) {
        products.multiply(c.product);
      }
      assertEquals(made, library.count("operations"));
      assertEquals(live, library.count("live"));
      assertEquals(1, library.count("heuristics"));
      assertEquals(HostDevice.STREAM, library.count("stream"));
      assertEquals(7, device.entered(), "each call makes the context current");
    }
  }

  @Test
  void whatTheLibraryDoesNotTakeGoesToTheSpare() {
    library.configure("version=130101 least_alignment=8");
    Case c = random(-0.5);
    Operand shifted = Operand.of(c.product.b().address() + 4, DType.F32, N);
    Product product = new Product(M, N, 9, 2, c.product.a(), shifted, null, -0.5, c.product.c(), 1);
    try (CublasLtProducts products = products(new AlgorithmStore(null), 0, 0, 0)) {
      products.multiply(product);
      products.multiply(product);
    }
    assertEquals(2, spare.asked());
    assertEquals(product, spare.last());
    assertEquals(1, library.count("heuristics"), "the library was asked once");
  }

  @Test
  void aQuestionThatFailedIsAskedAgain() {
    Case c = random(0);
    try (CublasLtProducts products = products(new AlgorithmStore(null), 0, 0, 0)) {
      library.configure("version=130101 heuristic=14");
      EnvironmentException e =
          assertThrows(EnvironmentException.class, () -> products.multiply(c.product));
      assertTrue(e.getMessage().contains("CUBLAS_STATUS_INTERNAL_ERROR (14)"), e.getMessage());
      library.configure("version=130101");
      multiply(products, c);
      assertEquals(1, library.count("matmuls"), "and the library makes the product");
      assertEquals(0, spare.asked());
    }
  }

  @Test
  void aFailureWithinARecordingRefusesTheRecordingOnly() {
    Case c = random(0);
    try (CublasLtProducts products = products(new AlgorithmStore(null), 0, 0, 0)) {
      device.recording(true);
      for (String failure : List.of("heuristic=14", "matmul=13")) {
        library.configure("version=130101 " + failure);
        assertThrows(Device.RecordingRefused.class, () -> products.multiply(c.product), failure);
      }
      device.recording(false);
      library.configure("version=130101");
      multiply(products, c);
    }
  }

  @Test
  void aKernelThatFailedBeforeIsNamedInsteadOfTheLibrary() {
    Case c = random(0);
    RuntimeException ofKernel = new EnvironmentException("device host:0", "a kernel failed", "Start again.");
    try (CublasLtProducts products = products(new AlgorithmStore(null), 0, 0, 0)) {
      library.configure("version=130101 matmul=13");
      device.lose(ofKernel);
      assertSame(ofKernel, assertThrows(EnvironmentException.class, () -> products.multiply(c.product)));
      library.configure("version=130101");
    }
  }

  @Test
  void rowsThatOverlapAndEmptyDepthsGoToTheSpare() {
    Case c = random(0);
    Operand repeated = Operand.of(c.product.a().address(), DType.F32, 0);
    try (CublasLtProducts products = products(new AlgorithmStore(null), 0, 0, 0)) {
      products.multiply(Product.of(M, N, K, 1, repeated, c.product.b(), c.product.c()));
      products.multiply(Product.of(M, N, 0, 1, c.product.a(), c.product.b(), c.product.c()));
      assertEquals(2, spare.asked());
      products.multiply(Product.of(1, N, K, 1, repeated, c.product.b(), c.product.c()));
      assertEquals(2, spare.asked(), "one row overlaps nothing");
    }
  }

  @Test
  void aFailureSaysWhatFailedAndWhatToDo() {
    Case c = random(0);
    try (CublasLtProducts products = products(new AlgorithmStore(null), 0, 0, 0)) {
      library.configure("version=130101 matmul=13");
      EnvironmentException e =
          assertThrows(EnvironmentException.class, () -> products.multiply(c.product));
      assertTrue(
          e.getMessage()
              .startsWith(
                  "matrix products: a product (150,140,121) of F32 into F32, batch 1, by cuBLASLt 13.1.1"),
          e.getMessage());
      assertTrue(e.getMessage().contains("CUBLAS_STATUS_EXECUTION_FAILED (13)"), e.getMessage());
      assertTrue(e.getMessage().contains("-Dlethe.products=tiled"), e.getMessage());
      library.configure("version=130101");
    }
    library.configure("create=1");
    int before = device.blocks();
    CublasFailure failure =
        assertThrows(CublasFailure.class, () -> products(new AlgorithmStore(null), 0, 0, 0));
    assertEquals(
        "cublasLtCreate failed: CUBLAS_STATUS_NOT_INITIALIZED (1)", failure.getMessage());
    assertEquals(before, device.blocks(), "the workspace was given back");
  }

  @Test
  void theClockOfTheHostGivesPositiveSeconds() {
    int[] runs = new int[1];
    double seconds = EventStopwatch.of(device).seconds(() -> runs[0]++);
    assertTrue(seconds > 0 && seconds < 1, () -> seconds + " s");
    assertTrue(runs[0] > 3, () -> runs[0] + " runs");
  }

  @Test
  void float32IsNeverTf32() {
    Case c = random(0);
    float[] fine = new float[M * K];
    Arrays.fill(fine, 1 + 0x1p-20f);
    device.upload(MemorySegment.ofArray(fine), c.product.a().address());
    float[] ones = new float[K * N];
    Arrays.fill(ones, 1);
    device.upload(MemorySegment.ofArray(ones), c.product.b().address());
    Product shallow = Product.of(M, N, 2, 1, c.product.a(), c.product.b(), c.product.c());
    try (CublasLtProducts products = products(new AlgorithmStore(null), 0, 0, 0)) {
      assertEquals(2 + 0x1p-19f, multiply(products, new Case(shallow, c.old))[0]);
    }
  }
}
