package dev.lethe.backend.contract.harness;

import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.RandomBlocks;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.function.Consumer;

/**
 * One kernel call made on the backend under test and on the reference, from the same numbers.
 * Inputs are normal deviates rounded to the tested backend's format; outputs start as NaN.
 *
 * <p>Long because all that a contract says of a call stands here, a few lines each.
 */
public final class KernelCase implements AutoCloseable {
  private final KernelBench bench;
  private final Findings findings;
  private final Random random;
  private final SplittableRandom deviates;
  private final Scope testedScope;
  private final Scope referenceScope;
  private final List<Slot> slots = new ArrayList<>();
  private double floor = 0.1;
  private boolean frozenWeights;
  private DType packed;
  private Set<String> apart = Set.of();
  private final Map<Slot, Integer> compared = new HashMap<>();
  private Consumer<Side> last = on -> {};

  KernelCase(KernelBench bench, String name, long seed, Findings findings) {
    this.bench = bench;
    this.findings = findings;
    this.random = new Random(seed);
    this.deviates = new SplittableRandom(seed);
    this.testedScope = bench.tested().openScope(name);
    this.referenceScope = bench.reference().openScope(name);
  }

  public Random random() {
    return random;
  }

  public KernelBench bench() {
    return bench;
  }

  /**
   * The size of result elements below which errors count as absolute, for results that are small
   * because larger numbers cancel.
   */
  public void floor(double size) {
    floor = size;
  }

  /** Makes the frozen weights that follow stay packed in a block format on the tested side. */
  public void packWeights(DType format) {
    packed = format;
  }

  /** Makes those of the tensors that follow columns of wider ones, on a tested backend that takes such. */
  void inColumns(String... names) {
    apart = bench.tested().takesColumns() ? Set.of(names) : Set.of();
  }

  /** Leaves a slot's columns from this one on out of comparisons with the reference. */
  public void compareColumns(Slot slot, long count) {
    compared.put(slot, Math.toIntExact(count));
  }

  /** An input of normal deviates in activation format. */
  public Slot activation(String name, long... dims) {
    return activation(1, name, dims);
  }

  /** An input of normal deviates of this deviation in activation format, rounded for products. */
  public Slot activation(double deviation, String name, long... dims) {
    return input(name, activationType(), rounded(normals(deviation, dims)), dims);
  }

  /** As {@link #activation}, or null: a structural zero. */
  public Slot activationOrNull(boolean present, String name, long... dims) {
    return present ? activation(name, dims) : null;
  }

  /** An input in vector format. */
  public Slot vector(String name, long... dims) {
    return input(name, vectorType(), normals(1, dims), dims);
  }

  /** An input of normal deviates in a given format. */
  public Slot input(DType type, String name, long... dims) {
    return input(name, type, normals(1, dims), dims);
  }

  /** Given numbers in a given format. */
  public Slot input(DType type, String name, Tensor values) {
    return input(name, type, values.toDoubles(), values.shape().toArray());
  }

  /** Given numbers in activation format. */
  public Slot activationOf(String name, Tensor values) {
    return input(name, activationType(), values.toDoubles(), values.shape().toArray());
  }

  /** Given numbers in vector format. */
  public Slot vectorOf(String name, Tensor values) {
    return input(name, vectorType(), values.toDoubles(), values.shape().toArray());
  }

  /** An I32 input (n). */
  public Slot indices(String name, int... values) {
    double[] wide = Arrays.stream(values).asDoubleStream().toArray();
    return input(name, DType.I32, wide, values.length);
  }

  /** An I32 input (n) of random indices below the bound. */
  public Slot randomIndices(String name, int count, int bound) {
    return indices(name, random.ints(count, 0, bound).toArray());
  }

  /** An output in activation format. */
  public Slot output(String name, long... dims) {
    return slot(name, Role.OUTPUT, activationType(), nans(dims), dims);
  }

  /** An output in activation format, or null: not wanted. */
  public Slot outputOrNull(boolean present, String name, long... dims) {
    return present ? output(name, dims) : null;
  }

  /** An output in vector format. */
  public Slot vectorOutput(String name, long... dims) {
    return slot(name, Role.OUTPUT, vectorType(), nans(dims), dims);
  }

  /** An I32 output. */
  public Slot indexOutput(String name, long... dims) {
    double[] wild = new double[Math.toIntExact(Shape.of(dims).elements())];
    Arrays.fill(wild, Integer.MAX_VALUE);
    return slot(name, Role.OUTPUT, DType.I32, wild, dims);
  }

  /** Read and written, in activation format: an output that is added to, or an aliased argument. */
  public Slot inOut(String name, long... dims) {
    return slot(name, Role.IN_OUT, activationType(), normals(1, dims), dims);
  }

  /** Read and written, in vector format. */
  public Slot vectorInOut(String name, long... dims) {
    return slot(name, Role.IN_OUT, vectorType(), normals(1, dims), dims);
  }

  /** A frozen weight on both sides, scaled so that products stay near one. */
  public Frozen frozen(long out, long in, boolean bias, boolean transposed) {
    frozenWeights = true;
    double deviation = 1 / Math.sqrt(in);
    Shape shape = Shape.of(out, in);
    Tensor given =
        packed == null
            ? Tensor.of(shape, rounded(normals(deviation, out, in)))
            : RandomBlocks.of(packed, shape, deviation, random);
    Tensor numbers = packed == null ? given : Tensor.of(shape, rounded(given.toDoubles()));
    Tensor offsets = bias ? Tensor.of(Shape.of(out), rounded(normals(1, out))) : null;
    return new Frozen(
        bench.tested().freezeLinear(given, offsets, transposed, testedScope),
        bench.reference().freezeLinear(numbers, offsets, transposed, referenceScope));
  }

  /** Frozen weights of layers that read one input, as {@link #frozen} makes one. */
  public List<Frozen> frozenTogether(List<Integer> outs, long in, boolean bias, boolean transposed) {
    frozenWeights = true;
    List<Tensor> weights = new ArrayList<>();
    List<Tensor> biases = new ArrayList<>();
    for (long out : outs) {
      weights.add(Tensor.of(Shape.of(out, in), rounded(normals(1 / Math.sqrt(in), out, in))));
      biases.add(bias ? Tensor.of(Shape.of(out), rounded(normals(1, out))) : null);
    }
    List<FrozenLinear> tested = bench.tested().freezeTogether(weights, biases, transposed, testedScope);
    List<FrozenLinear> reference = bench.reference().freezeTogether(weights, biases, transposed, referenceScope);
    List<Frozen> frozen = new ArrayList<>();
    for (int i = 0; i < weights.size(); i++) {
      frozen.add(new Frozen(tested.get(i), reference.get(i)));
    }
    return frozen;
  }

  /**
   * Makes the call twice on the tested backend and once on the reference, and checks everything.
   */
  public void run(Consumer<Side> call) {
    last = call;
    Side side = new Side(true, bench.tested());
    List<byte[]> first = callAndSnapshot(side, call);
    long live = bench.tested().memoryUse().liveBytes();
    List<byte[]> second = callAndSnapshot(side, call);
    long leaked = bench.tested().memoryUse().liveBytes() - live;
    findings.leaked(leaked);
    List<byte[]> expected = callAndSnapshot(new Side(false, bench.reference()), call);
    Expect.equal(0L, leaked, "live bytes after a second call");
    for (int i = 0; i < slots.size(); i++) {
      Slot slot = slots.get(i);
      if (!Arrays.equals(first.get(i), second.get(i))) {
        findings.otherBytes();
        throw new AssertionError(slot.name + ": a second call, other bytes");
      }
      if (!slot.tested.guardsIntact(first.get(i))) {
        findings.outOfBounds();
        throw new AssertionError(slot.name + ": written out of bounds");
      }
      if (slot.role == Role.INPUT && !slot.tested.unchanged(first.get(i))) {
        findings.outOfBounds();
        throw new AssertionError(slot.name + ": an input was written");
      }
      if (slot.role != Role.INPUT) {
        assertClose(
            slot.name,
            compared(slot, slot.reference.values(expected.get(i))),
            compared(slot, slot.tested.values(first.get(i))));
      }
    }
  }

  private double[] compared(Slot slot, double[] values) {
    int width = Math.toIntExact(slot.onReference().dim(-1));
    int count = compared.getOrDefault(slot, width);
    for (int i = 0; i < values.length; i++) {
      values[i] = i % width < count ? values[i] : 0;
    }
    return values;
  }

  /** Makes the last call once more on the tested backend. */
  void again() {
    last.accept(new Side(true, bench.tested()));
  }

  /** That two results agree as their format allows. */
  void assertClose(String name, double[] expected, double[] got) {
    double error = 0;
    double size = 0;
    int worst = 0;
    for (int i = 0; i < expected.length; i++) {
      double difference = got[i] - expected[i];
      error += difference * difference;
      size += expected[i] * expected[i];
      if (!(Math.abs(difference) <= Math.abs(got[worst] - expected[worst]))) {
        worst = i;
      }
    }
    double scale = Math.max(Math.sqrt(size), floor * Math.sqrt(expected.length));
    double tolerance = frozenWeights ? bench.productTolerance() : bench.tolerance();
    double bound = tolerance * scale;
    if (expected.length > 0) {
      findings.compared(Math.sqrt(error) / scale, tolerance);
    }
    if (expected.length > 0 && !(Math.sqrt(error) <= bound)) {
      throw new AssertionError(
          Text.format(
              "%s: %.3g from the reference (norm), allowed %.3g; element %d of %d: expected %s, got %s",
              name, Math.sqrt(error), bound, worst, expected.length, expected[worst], got[worst]));
    }
  }

  private List<byte[]> callAndSnapshot(Side side, Consumer<Side> call) {
    slots.forEach(s -> side.buffer(s).reset());
    if (side.testedSide) {
      slots.forEach(s -> s.tested.zones().forEach(bench.zones()::forbid));
    }
    try {
      call.accept(side);
    } finally {
      if (side.testedSide) {
        slots.forEach(s -> s.tested.zones().forEach(bench.zones()::permit));
      }
    }
    return slots.stream().map(s -> side.buffer(s).snapshot()).toList();
  }

  private Slot input(String name, DType dtype, double[] values, long... dims) {
    return slot(name, Role.INPUT, dtype, values, dims);
  }

  private Slot slot(String name, Role role, DType dtype, double[] values, long... dims) {
    Shape shape = Shape.of(dims);
    int margin = apart.contains(name) ? bench.margin() : 0;
    GuardedBuffer tested =
        new GuardedBuffer(bench.tested(), testedScope, dtype, shape, bench.guard(), margin, values);
    GuardedBuffer reference =
        new GuardedBuffer(
            bench.reference(),
            referenceScope,
            dtype.isFloating() ? DType.F64 : dtype,
            shape,
            bench.guard(),
            0,
            tested.initialValues());
    Slot slot = new Slot(name, role, tested, reference);
    slots.add(slot);
    return slot;
  }

  private double[] normals(double deviation, long... dims) {
    double[] values = new double[Math.toIntExact(Shape.of(dims).elements())];
    for (int i = 0; i < values.length; i++) {
      values[i] = deviation * deviates.nextGaussian();
    }
    return values;
  }

  private static double[] nans(long... dims) {
    double[] values = new double[Math.toIntExact(Shape.of(dims).elements())];
    Arrays.fill(values, Double.NaN);
    return values;
  }

  /** As the tested backend's products take them. */
  private double[] rounded(double[] values) {
    Shape shape = Shape.of(values.length);
    try (Scope scope = bench.tested().openScope("rounding")) {
      Tensor narrow = scope.allocate(bench.tested().productType(), shape);
      Tensor wide = Tensor.of(shape, values);
      bench.tested().upload(wide, narrow);
      bench.tested().download(narrow, wide);
      return wide.toDoubles();
    }
  }

  private DType activationType() {
    return bench.tested().activationType();
  }

  private DType vectorType() {
    return bench.tested().vectorType();
  }

  @Override
  public void close() {
    testedScope.close();
    referenceScope.close();
  }

  private enum Role {
    INPUT,
    OUTPUT,
    IN_OUT
  }

  /** One argument on both sides. */
  public record Slot(String name, Role role, GuardedBuffer tested, GuardedBuffer reference) {
    /** The reference's copy, to compute other inputs from. */
    public Tensor onReference() {
      return reference.tensor();
    }
  }

  /** One frozen weight on both sides. */
  public record Frozen(FrozenLinear tested, FrozenLinear reference) {}

  /** The side that a call is made on. */
  public record Side(boolean testedSide, Backend backend) {
    /** The slot's tensor on this side; null for null. */
    public Tensor of(Slot slot) {
      return slot == null ? null : buffer(slot).tensor();
    }

    public FrozenLinear of(Frozen weight) {
      return testedSide ? weight.tested : weight.reference;
    }

    /** The numbers of a tensor of this side. */
    public double[] numbers(Tensor tensor) {
      double[] numbers = new double[Math.toIntExact(tensor.elements())];
      backend.download(tensor, Tensor.of(tensor.shape(), numbers));
      return numbers;
    }

    /** The indices of a tensor of this side. */
    public double[] indices(Tensor tensor) {
      int[] indices = new int[Math.toIntExact(tensor.elements())];
      Tensor host = Tensor.of(tensor.shape(), indices);
      backend.download(tensor, host);
      return host.toDoubles();
    }

    private GuardedBuffer buffer(Slot slot) {
      return testedSide ? slot.tested : slot.reference;
    }
  }
}
