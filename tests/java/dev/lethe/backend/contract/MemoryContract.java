package dev.lethe.backend.contract;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.lethe.backend.Backend;
import dev.lethe.backend.FrozenLinear;
import dev.lethe.backend.LossKernels;
import dev.lethe.backend.contract.KernelCase.Frozen;
import dev.lethe.backend.contract.KernelCase.Slot;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;

/** Transfers, frozen tensors and accounting of a {@link Backend}. */
public final class MemoryContract {
  private static final DType[] FORMATS = {DType.F64, DType.F32, DType.F16, DType.BF16};

  private MemoryContract() {}

  public static Stream<DynamicTest> tests(KernelBench bench) {
    Stream.Builder<DynamicTest> tests = Stream.builder();
    for (DType dtype : FORMATS) {
      tests.add(bench.test("round trip of " + dtype, c -> roundTrip(c, dtype)));
      tests.add(bench.test("frozen vector of " + dtype, c -> frozenVector(c, dtype)));
      for (boolean transposed : new boolean[] {false, true}) {
        String name = "frozen linear of %s transposed=%b".formatted(dtype, transposed);
        tests.add(bench.test(name, c -> frozenLinear(c, dtype, transposed)));
      }
    }
    tests.add(bench.test("scopes give back", MemoryContract::accounting));
    return tests.build();
  }

  /** Numbers that every format holds exactly go to the device and back. */
  private static void roundTrip(KernelCase c, DType dtype) {
    Backend backend = c.bench().tested();
    try (Scope scope = backend.openScope("round trip")) {
      Tensor host = small(c, dtype, 3, 7);
      for (DType onDevice : new DType[] {backend.activationType(), backend.vectorType()}) {
        Tensor there = scope.allocate(onDevice, 3, 7);
        Tensor back = Tensor.of(Shape.of(3, 7), new float[21]);
        backend.upload(host, there);
        backend.download(there, back);
        assertArrayEquals(host.toDoubles(), back.toDoubles(), onDevice.toString());
      }
    }
  }

  private static void frozenVector(KernelCase c, DType dtype) {
    Backend backend = c.bench().tested();
    try (Scope scope = backend.openScope("frozen vector")) {
      Tensor host = small(c, dtype, 21);
      Tensor frozen = backend.freezeVector(host, scope);
      assertEquals(backend.activationType(), frozen.dtype());
      assertEquals(Shape.of(21), frozen.shape());
      Tensor back = Tensor.of(Shape.of(21), new float[21]);
      backend.download(frozen, back);
      assertArrayEquals(host.toDoubles(), back.toDoubles());
    }
  }

  private static void frozenLinear(KernelCase c, DType dtype, boolean transposed) {
    Tensor weight = small(c, dtype, 5, 3);
    Tensor bias = small(c, dtype, 5);
    try (Scope tested = c.bench().tested().openScope("weight");
        Scope reference = c.bench().reference().openScope("weight")) {
      FrozenLinear onTested = c.bench().tested().freezeLinear(weight, bias, transposed, tested);
      FrozenLinear onReference =
          c.bench().reference().freezeLinear(weight, bias, transposed, reference);
      assertEquals(3, onTested.in());
      assertEquals(5, onTested.out());
      assertEquals(transposed, onTested.transposed());
      Frozen both = new Frozen(onTested, onReference);
      Slot x = c.activation("x", 7, 3);
      Slot z = c.output("z", 7, 5);
      c.run(on -> on.backend().run(new LossKernels.Logits(on.of(both), on.of(x), on.of(z))));
    }
  }

  private static void accounting(KernelCase c) {
    Backend backend = c.bench().tested();
    long before = backend.memoryUse().liveBytes();
    try (Scope scope = backend.openScope("accounting")) {
      Tensor big = scope.allocate(DType.F32, 1000, 1000);
      long now = backend.memoryUse().liveBytes();
      assertEquals(true, now >= before + big.byteSize(), "live bytes count a tensor");
      assertEquals(true, backend.memoryUse().peakBytes() >= now, "the peak is no less");
    }
    assertEquals(before, backend.memoryUse().liveBytes(), "live bytes after the scope");
  }

  /** Eighths up to 4: exact in every floating format. */
  private static Tensor small(KernelCase c, DType dtype, long... dims) {
    Shape shape = Shape.of(dims);
    byte[] bytes = new byte[Math.toIntExact(shape.elements() * dtype.bytes())];
    Tensor host = Tensor.view(MemorySegment.ofArray(bytes), dtype, shape);
    for (long i = 0; i < host.elements(); i++) {
      host.set(i, (c.random().nextInt(65) - 32) / 8.0);
    }
    return host;
  }
}
