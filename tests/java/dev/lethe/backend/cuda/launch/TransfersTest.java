package dev.lethe.backend.cuda.launch;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.lethe.backend.cuda.EmulatedDevice;
import dev.lethe.backend.cuda.gemm.TiledProducts;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Conversions on the device against those on the host: the same bits, however long the tensor. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class TransfersTest {
  /** Float32 of this many elements go in more than one chunk. */
  private static final int LONG = (16 << 20) / 4 + 1001;

  private Cuda cuda;

  @BeforeAll
  void open() {
    cuda = new Cuda(EmulatedDevice.open(), DType.BF16, TiledProducts::new);
  }

  @AfterAll
  void close() {
    if (cuda != null) {
      cuda.close();
    }
  }

  @ParameterizedTest
  @CsvSource({"F32,BF16", "F64,F32", "F64,BF16", "BF16,F32"})
  void longUploadsAreRoundedAsOnTheHost(DType from, DType to) {
    Tensor host = numbers(from, LONG);
    Tensor expected = hostTensor(to, LONG);
    expected.copyFrom(host);
    try (Scope scope = cuda.scratch("test")) {
      Tensor there = scope.allocate(to, LONG);
      Tensor back = hostTensor(to, LONG);
      cuda.transfers().upload(host, there);
      cuda.transfers().download(there, back);
      assertEquals(-1, expected.segment().mismatch(back.segment()), "first byte that differs");
    }
  }

  @ParameterizedTest
  @CsvSource({"BF16,F64", "BF16,F32", "F32,F64", "F32,BF16"})
  void longDownloadsAreRoundedAsOnTheHost(DType from, DType to) {
    Tensor host = numbers(from, LONG);
    Tensor expected = hostTensor(to, LONG);
    expected.copyFrom(host);
    try (Scope scope = cuda.scratch("test")) {
      Tensor there = scope.allocate(from, LONG);
      Tensor back = hostTensor(to, LONG);
      cuda.transfers().upload(host, there);
      cuda.transfers().download(there, back);
      assertEquals(-1, expected.segment().mismatch(back.segment()), "first byte that differs");
    }
  }

  @Test
  void everyBinary16IsReadExactly() {
    short[] patterns = new short[1 << 16];
    for (int i = 0; i < patterns.length; i++) {
      patterns[i] = (short) i;
    }
    Shape shape = Shape.of(patterns.length);
    float[] read = new float[patterns.length];
    try (Scope scope = cuda.scratch("test")) {
      Tensor there = scope.allocate(DType.F32, shape);
      cuda.transfers().upload(Tensor.view(MemorySegment.ofArray(patterns), DType.F16, shape), there);
      cuda.transfers().download(there, Tensor.of(shape, read));
    }
    for (int i = 0; i < patterns.length; i++) {
      assertEquals(Float.float16ToFloat(patterns[i]), read[i], "pattern " + i);
    }
  }

  @ParameterizedTest
  @CsvSource({"I64,I32", "U8,I32", "I32,BF16"})
  void otherFormatsAreConvertedToo(DType from, DType to) {
    Tensor host = hostTensor(from, 5);
    for (int i = 0; i < 5; i++) {
      host.set(i, 3 * i);
    }
    try (Scope scope = cuda.scratch("test")) {
      Tensor there = scope.allocate(to, 5);
      Tensor back = hostTensor(from, 5);
      cuda.transfers().upload(host, there);
      cuda.transfers().download(there, back);
      assertEquals(-1, host.segment().mismatch(back.segment()), "first byte that differs");
    }
  }

  /** Numbers of all sizes, halfway cases of bfloat16, infinities and zeros. */
  private static Tensor numbers(DType type, int count) {
    double[] special = {
      0.0, -0.0, 1, 1 + 0x1p-8, 1 + 0x1p-8 + 0x1p-20, 1 + 0x1.8p-7, -1 - 0x1p-8, 3.4e38, 1e300, -1e300,
      Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, 1e-40, -1e-45, 1e-300
    };
    Random random = new Random(11);
    Tensor tensor = hostTensor(type, count);
    for (int i = 0; i < count; i++) {
      tensor.set(i, i % 101 < special.length ? special[i % 101] : random.nextGaussian());
    }
    return tensor;
  }

  private static Tensor hostTensor(DType type, int count) {
    byte[] bytes = new byte[count * type.bytes()];
    return Tensor.view(MemorySegment.ofArray(bytes), type, Shape.of(count));
  }
}
