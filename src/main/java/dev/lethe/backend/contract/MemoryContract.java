package dev.lethe.backend.contract;

import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.Expect;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.backend.contract.harness.KernelCase;
import dev.lethe.backend.contract.harness.KernelCase.Frozen;
import dev.lethe.backend.contract.harness.KernelCase.Slot;
import dev.lethe.backend.kernel.LossKernels;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.stream.Stream;

/** Transfers, frozen tensors and accounting of a {@link Backend}. */
final class MemoryContract {
  private static final DType[] FORMATS = {DType.F64, DType.F32, DType.F16, DType.BF16};

  private MemoryContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    Stream.Builder<ContractCase> cases = Stream.builder();
    for (DType dtype : FORMATS) {
      cases.add(bench.of("memory.roundTrip " + dtype, c -> roundTrip(c, dtype)));
      cases.add(bench.of("memory.frozenVector " + dtype, c -> frozenVector(c, dtype)));
      for (boolean transposed : new boolean[] {false, true}) {
        String name = Text.format("memory.frozenLinear %s transposed=%b", dtype, transposed);
        cases.add(bench.of(name, c -> frozenLinear(c, dtype, transposed)));
      }
    }
    cases.add(bench.of("memory.scopes", MemoryContract::accounting));
    return cases.build();
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
        Expect.same(host.toDoubles(), back.toDoubles(), onDevice.toString());
      }
    }
  }

  private static void frozenVector(KernelCase c, DType dtype) {
    Backend backend = c.bench().tested();
    try (Scope scope = backend.openScope("frozen vector")) {
      Tensor host = small(c, dtype, 21);
      Tensor frozen = backend.freezeVector(host, scope);
      Expect.equal(backend.activationType(), frozen.dtype(), "format");
      Expect.equal(Shape.of(21), frozen.shape(), "shape");
      Tensor back = Tensor.of(Shape.of(21), new float[21]);
      backend.download(frozen, back);
      Expect.same(host.toDoubles(), back.toDoubles(), "numbers");
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
      Expect.equal(3L, onTested.in(), "inputs");
      Expect.equal(5L, onTested.out(), "outputs");
      Expect.equal(transposed, onTested.transposed(), "transposed");
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
      Expect.that(now >= before + big.byteSize(), "live bytes count a tensor");
      Expect.that(backend.memoryUse().peakBytes() >= now, "the peak is no less");
    }
    Expect.equal(before, backend.memoryUse().liveBytes(), "live bytes after the scope");
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
