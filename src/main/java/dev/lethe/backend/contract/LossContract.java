package dev.lethe.backend.contract;

import dev.lethe.Text;
import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.Expect;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.backend.contract.harness.KernelCase;
import dev.lethe.backend.contract.harness.KernelCase.Frozen;
import dev.lethe.backend.contract.harness.KernelCase.Slot;
import dev.lethe.backend.kernel.LossKernels;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;

/** {@link LossKernels} in their modes: the vocabulary head and its cross-entropy. */
final class LossContract {
  private static final int[][] SIZES = {
    {1, 3, 2},
    {3, 17, 33},
    {5, 64, 100},
    {13, 33, 257},
    {65, 8, 31},
    {130, 5, 7},
    {2, 2, 1},
    {3, 4, 16_392},
    {0, 4, 5}
  };

  private LossContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    Stream.Builder<ContractCase> cases = Stream.builder();
    for (int i = 0; i < SIZES.length; i++) {
      int k = 1 + i % 3;
      for (double deviation : new double[] {1, 100}) {
        Sizes size = new Sizes(SIZES[i][0], SIZES[i][1], SIZES[i][2], deviation);
        cases.add(bench.of("loss.logits " + size, c -> logits(c, size, false)));
        cases.add(bench.of("loss.logits with bias " + size, c -> logits(c, size, true)));
        cases.add(bench.of("loss.likeliest " + size, c -> likeliest(c, size)));
        for (int bits = 0; bits < 4; bits++) {
          boolean p = (bits & 1) != 0;
          boolean gx = (bits & 2) != 0;
          String name = Text.format("loss.forward %s p=%b gx=%b", size, p, gx);
          cases.add(bench.of(name, c -> forward(c, size, p, gx)));
        }
        cases.add(bench.of(Text.format("loss.tangent %s k=%d", size, k), c -> tangent(c, size, k)));
        for (int many : new int[] {k, 5, 18}) {
          String name = Text.format("loss.backwardTangent %s k=%d", size, many);
          cases.add(bench.of(name, c -> backwardTangent(c, size, many)));
        }
        for (int q : new int[] {1, 4}) {
          cases.add(bench.of(Text.format("loss.drawn %s q=%d", size, q), c -> drawn(c, size, q)));
        }
      }
    }
    return cases.build();
  }

  /** The modes over a head that stays packed in a block format. */
  static Stream<ContractCase> packed(KernelBench bench, DType format, int m, int d, int v) {
    Sizes size = new Sizes(m, d, v, 1);
    Map<String, Consumer<KernelCase>> modes = new LinkedHashMap<>();
    modes.put("logits", c -> logits(c, size, true));
    modes.put("forward", c -> forward(c, size, true, true));
    modes.put("tangent", c -> tangent(c, size, 2));
    modes.put("backwardTangent", c -> backwardTangent(c, size, 2));
    modes.put("drawn", c -> drawn(c, size, 2));
    return modes.entrySet().stream()
        .map(
            mode ->
                bench.of(
                    Text.format("loss.%s %s %s", mode.getKey(), format, size),
                    c -> {
                      c.packWeights(format);
                      mode.getValue().accept(c);
                    }));
  }

  private static void logits(KernelCase c, Sizes size, boolean bias) {
    Frozen head = c.frozen(size.v, size.d, bias, false);
    Slot x = c.activation(size.deviation, "x", size.m, size.d);
    Slot z = c.output("z", size.m, size.v);
    c.run(on -> on.backend().run(new LossKernels.Logits(on.of(head), on.of(x), on.of(z))));
  }

  /** Rows of few different numbers: the greatest is there more than once, and the first of them counts. */
  private static void likeliest(KernelCase c, Sizes size) {
    double[] values = new double[size.m * size.v];
    Arrays.setAll(values, i -> size.deviation * (c.random().nextInt(7) - 3) + 0.0);
    Slot z = c.activationOf("z", Tensor.of(Shape.of(size.m, size.v), values));
    Slot ids = c.indexOutput("ids", size.m);
    c.run(on -> on.backend().run(new LossKernels.Likeliest(on.of(z), on.of(ids))));
  }

  private static void forward(KernelCase c, Sizes size, boolean hasP, boolean hasGx) {
    Frozen head = c.frozen(size.v, size.d, size.v % 2 == 1, hasGx);
    Slot x = c.activation(size.deviation, "x", size.m, size.d);
    Slot targets = c.randomIndices("targets", size.m, size.v);
    Slot weights = hasGx ? c.vector("weights", size.m) : null;
    Slot rowLoss = c.vectorOutput("rowLoss", size.m);
    Slot p = c.outputOrNull(hasP, "p", size.m, size.v);
    Slot gx = c.outputOrNull(hasGx, "gx", size.m, size.d);
    c.run(
        on ->
            on.backend()
                .run(
                    new LossKernels.Forward(
                        on.of(head),
                        on.of(x),
                        on.of(targets),
                        on.of(weights),
                        on.of(rowLoss),
                        on.of(p),
                        on.of(gx))));
  }

  private static void tangent(KernelCase c, Sizes size, int k) {
    Frozen head = c.frozen(size.v, size.d, false, true);
    Slot targets = c.randomIndices("targets", size.m, size.v);
    Slot p = softmax(c, head, size, targets);
    Slot dx = c.activation("dx", k, size.m, size.d);
    Slot dLoss = c.vectorOutput("dLoss", k, size.m);
    c.run(
        on ->
            on.backend()
                .run(
                    new LossKernels.Tangent(
                        on.of(head), on.of(p), on.of(targets), on.of(dx), on.of(dLoss))));
  }

  private static void backwardTangent(KernelCase c, Sizes size, int k) {
    Frozen head = c.frozen(size.v, size.d, false, true);
    Slot p = softmax(c, head, size, c.randomIndices("targets", size.m, size.v));
    Slot weights = c.vector("weights", size.m);
    Slot dx = c.activation("dx", k, size.m, size.d);
    Slot dgx = c.output("dgx", k, size.m, size.d);
    c.run(
        on ->
            on.backend()
                .run(
                    new LossKernels.BackwardTangent(
                        on.of(head), on.of(p), on.of(weights), on.of(dx), on.of(dgx))));
  }

  /** Labels must be the same ones, and rows of weight zero have no adjoint. */
  private static void drawn(KernelCase c, Sizes size, int q) {
    c.floor(1);
    Frozen head = c.frozen(size.v, size.d, false, true);
    Slot targets = c.randomIndices("targets", size.m, size.v);
    double[] some = new double[size.m];
    Arrays.setAll(some, t -> t % 5 == 3 ? 0 : c.random().nextDouble());
    Slot weights = c.vectorOf("weights", Tensor.of(Shape.of(size.m), some));
    Primal primal = primal(c, head, size, targets, weights);
    Slot labels = c.indexOutput("labels", q, size.m);
    Slot out = c.output("out", q, size.m, size.d);
    double[][] drawn = new double[2][];
    c.run(
        on -> {
          on.backend()
              .run(
                  new LossKernels.Drawn(
                      on.of(head),
                      on.of(primal.p),
                      on.of(targets),
                      on.of(weights),
                      on.of(primal.gx),
                      77,
                      on.of(labels),
                      on.of(out)));
          drawn[on.testedSide() ? 0 : 1] = on.indices(on.of(labels));
        });
    Expect.same(drawn[1], drawn[0], "labels");
  }

  /** What the reference finds for some rows. */
  private static Primal primal(
      KernelCase c, Frozen head, Sizes size, Slot targets, Slot weights) {
    Slot x = c.activation(size.deviation, "x", size.m, size.d);
    Tensor rowLoss = Tensor.of(Shape.of(size.m), new double[size.m]);
    Tensor p = Tensor.of(Shape.of(size.m, size.v), new double[size.m * size.v]);
    Tensor gx = Tensor.of(Shape.of(size.m, size.d), new double[size.m * size.d]);
    c.bench()
        .reference()
        .run(
            new LossKernels.Forward(
                head.reference(),
                x.onReference(),
                targets.onReference(),
                weights.onReference(),
                rowLoss,
                p,
                gx));
    return new Primal(c.activationOf("p", p), c.activationOf("gx", gx));
  }

  /** The probabilities that the reference finds for some rows. */
  private static Slot softmax(KernelCase c, Frozen head, Sizes size, Slot targets) {
    Slot x = c.activation(size.deviation, "x", size.m, size.d);
    Tensor p = Tensor.of(Shape.of(size.m, size.v), new double[size.m * size.v]);
    Tensor rowLoss = Tensor.of(Shape.of(size.m), new double[size.m]);
    c.bench()
        .reference()
        .run(
            new LossKernels.Forward(
                head.reference(), x.onReference(), targets.onReference(), null, rowLoss, p, null));
    return c.activationOf("p", p);
  }

  /** Softmax and adjoint of x. */
  private record Primal(Slot p, Slot gx) {}

  /** Rows, width, vocabulary, and the deviation of x: at 100, exponentials need their shift. */
  private record Sizes(int m, int d, int v, double deviation) {}
}
