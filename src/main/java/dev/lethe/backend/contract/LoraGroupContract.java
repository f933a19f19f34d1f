package dev.lethe.backend.contract;

import dev.lethe.Text;
import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.backend.contract.harness.KernelCase;
import dev.lethe.backend.contract.harness.KernelCase.Frozen;
import dev.lethe.backend.contract.harness.KernelCase.Side;
import dev.lethe.backend.contract.harness.KernelCase.Slot;
import dev.lethe.backend.kernel.KernelCall;
import dev.lethe.backend.kernel.LoraAdjoint;
import dev.lethe.backend.kernel.LoraGradientKernels.Gradient;
import dev.lethe.backend.kernel.LoraGradientKernels.GradientTangent;
import dev.lethe.backend.kernel.LoraGradientKernels.Kept;
import dev.lethe.backend.kernel.LoraGradientKernels.KeptTangent;
import dev.lethe.backend.kernel.LoraGroup;
import dev.lethe.backend.kernel.LoraKernels.Backward;
import dev.lethe.backend.kernel.LoraKernels.BackwardTangent;
import dev.lethe.backend.kernel.LoraKernels.Forward;
import dev.lethe.backend.kernel.LoraKernels.InputAdjoint;
import dev.lethe.backend.kernel.LoraKernels.InputTangent;
import dev.lethe.backend.kernel.LoraKernels.Tangent;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** {@link LoraGroup} and {@link LoraAdjoint} in all modes: what each of their calls would do alone. */
final class LoraGroupContract {
  private static final double SCALE = 1.5;

  private LoraGroupContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    Stream.Builder<ContractCase> cases = Stream.builder();
    for (Sizes z : Sizes.ALL) {
      for (boolean flag : new boolean[] {false, true}) {
        cases.add(bench.of(Text.format("loraGroup.forward %s bias=%b", z, flag), c -> forward(c, z, flag)));
        if (flag || z.allAdapted()) {
          cases.add(bench.of(Text.format("loraGroup.tangent %s dx=%b", z, flag), c -> tangent(c, z, flag)));
        }
      }
      for (Gx gx : Gx.values()) {
        if (gx != Gx.NULL || z.allAdapted()) {
          cases.add(bench.of(Text.format("loraGroup.backward %s gx %s", z, gx), c -> backward(c, z, gx)));
          String name = Text.format("loraGroup.backwardTangent %s gx %s", z, gx);
          cases.add(bench.of(name, c -> backwardTangent(c, z, gx)));
        }
      }
      if (z.rankSum() == 0) {
        continue;
      }
      cases.add(bench.of("loraGroup.gradient " + z, c -> gradient(c, z)));
      for (boolean dx : new boolean[] {false, true}) {
        String name = Text.format("loraGroup.gradientTangent %s dxa=%b", z, dx);
        cases.add(bench.of(name, c -> gradientTangent(c, z, dx)));
      }
    }
    for (Sizes z : Sizes.WITH_ADAPTERS) {
      for (Gx gx : Gx.values()) {
        if (gx != Gx.NULL || z.allAdapted()) {
          String name = Text.format("loraGroup.backwardAndGradient %s gx %s", z, gx);
          cases.add(bench.of(name, c -> backwardAndGradient(c, z, gx)));
          name = Text.format("loraGroup.backwardTangentAndGradient %s gx %s", z, gx);
          cases.add(bench.of(name, c -> backwardAndGradientTangent(c, z, gx, gx != Gx.OVERWRITE)));
        }
      }
    }
    return cases.build();
  }

  private static void forward(KernelCase c, Sizes z, boolean bias) {
    Layers layers = Layers.of(c, z, bias, false);
    Beside in = Beside.of(c, "x|u", List.of(z.n), z.inputAndRanks(), z.rankSum());
    Beside out = Beside.of(c, "y", List.of(z.n), z.outs, 0);
    run(c, on -> LoraGroup.forward(
        z.each(i -> new Forward(
            layers.on(on, i), layers.theta(on, i), in.part(on, 0), in.part(on, 0), z.low(in, on, i, 1),
            out.part(on, i))),
        in.whole(on)));
  }

  private static void tangent(KernelCase c, Sizes z, boolean hasDx) {
    Layers layers = Layers.of(c, z, false, false);
    Slot xa = c.activation("xa", z.n, z.in);
    Beside us = Beside.of(c, "u", List.of(z.n), z.ranksOfAdapters(), 0);
    Beside in = Beside.of(c, "dx|du", List.of(z.k, z.n), z.inputAndRanks(), z.rankSum());
    Beside out = Beside.of(c, "dy", List.of(z.k, z.n), z.outs, 0);
    run(c, on -> {
      InputTangent dx = new InputTangent(hasDx ? in.part(on, 0) : null, null);
      return LoraGroup.tangent(
          z.each(i -> new Tangent(
              layers.on(on, i), layers.theta(on, i), layers.v(on, i), z.ranks.get(i) == 0 ? null : on.of(xa),
              z.low(us, on, i, 0), dx, z.low(in, on, i, 1), out.part(on, i))),
          in.whole(on));
    });
  }

  private static void backward(KernelCase c, Sizes z, Gx gx) {
    Layers layers = Layers.of(c, z, false, gx != Gx.NULL);
    Beside out = Beside.of(c, "gy|h", List.of(z.k, z.n), z.outsAndRanks(), z.rankSum());
    Slot to = gx.slot(c, z);
    run(c, on -> LoraGroup.backward(
        z.each(i -> new Backward(
            layers.on(on, i), layers.theta(on, i), out.part(on, i), z.low(out, on, i, z.outs.size()),
            gx.to(on.of(to), i, z))),
        out.whole(on)));
  }

  private static void backwardTangent(KernelCase c, Sizes z, Gx gx) {
    Layers layers = Layers.of(c, z, false, gx != Gx.NULL);
    Beside gys = Beside.of(c, "gy", List.of(z.n), z.outs, 0);
    Beside hs = Beside.of(c, "h", List.of(z.n), z.ranksOfAdapters(), 0);
    Beside out = Beside.of(c, "dgy|dh", List.of(z.k, z.n), z.outsAndRanks(), z.rankSum());
    Slot to = gx.slot(c, z);
    run(c, on -> LoraGroup.backwardTangent(
        z.each(i -> new BackwardTangent(
            layers.on(on, i), layers.theta(on, i), layers.v(on, i), z.ranks.get(i) == 0 ? null : gys.part(on, i),
            z.low(hs, on, i, 0), out.part(on, i), z.low(out, on, i, z.outs.size()), gx.to(on.of(to), i, z))),
        out.whole(on)));
  }

  private static void backwardAndGradient(KernelCase c, Sizes z, Gx gx) {
    Layers layers = Layers.of(c, z, false, gx != Gx.NULL);
    Slot xa = c.activation("xa", z.n, z.in);
    Beside us = Beside.of(c, "u", List.of(z.n), z.ranksOfAdapters(), 0);
    Beside out = Beside.of(c, "gy|h", List.of(z.k, z.n), z.outsAndRanks(), z.rankSum());
    Slot to = gx.slot(c, z);
    Slot g = c.vectorInOut("g", z.k, z.parameters());
    run(c, on -> LoraAdjoint.of(
        LoraGroup.backward(
            z.each(i -> new Backward(
                layers.on(on, i), layers.theta(on, i), out.part(on, i), z.low(out, on, i, z.outs.size()),
                gx.to(on.of(to), i, z))),
            out.whole(on)),
        LoraGroup.gradient(
            z.eachAdapted(i -> new Gradient(
                z.slot(i),
                new Kept(on.of(xa), z.low(us, on, i, 0), z.low(out, on, i, z.outs.size()), out.part(on, i)),
                0.5, on.of(g))))));
  }

  private static void backwardAndGradientTangent(KernelCase c, Sizes z, Gx gx, boolean hasDx) {
    Layers layers = Layers.of(c, z, false, gx != Gx.NULL);
    Slot xa = c.activation("xa", z.n, z.in);
    Slot dxa = c.activationOrNull(hasDx, "dxa", z.k, z.n, z.in);
    Beside us = Beside.of(c, "u", List.of(z.n), z.ranksOfAdapters(), 0);
    Beside dus = Beside.of(c, "du", List.of(z.k, z.n), z.ranksOfAdapters(), 0);
    Beside gys = Beside.of(c, "gy", List.of(z.n), z.outs, 0);
    Beside hs = Beside.of(c, "h", List.of(z.n), z.ranksOfAdapters(), 0);
    Beside out = Beside.of(c, "dgy|dh", List.of(z.k, z.n), z.outsAndRanks(), z.rankSum());
    Slot to = gx.slot(c, z);
    Slot g = c.vectorInOut("g", z.k, z.parameters());
    run(c, on -> LoraAdjoint.ofTangents(
        LoraGroup.backwardTangent(
            z.each(i -> new BackwardTangent(
                layers.on(on, i), layers.theta(on, i), layers.v(on, i), z.ranks.get(i) == 0 ? null : gys.part(on, i),
                z.low(hs, on, i, 0), out.part(on, i), z.low(out, on, i, z.outs.size()), gx.to(on.of(to), i, z))),
            out.whole(on)),
        LoraGroup.gradientTangent(
            z.eachAdapted(i -> new GradientTangent(
                z.slot(i),
                new Kept(on.of(xa), z.low(us, on, i, 0), z.low(hs, on, i, 0), gys.part(on, i)),
                new KeptTangent(
                    on.of(dxa), z.low(dus, on, i, 0), z.low(out, on, i, z.outs.size()), out.part(on, i)),
                -2, on.of(g))))));
  }

  private static void gradient(KernelCase c, Sizes z) {
    Slot xa = c.activation("xa", z.n, z.in);
    Beside us = Beside.of(c, "u", List.of(z.n), z.ranksOfAdapters(), 0);
    Beside hs = Beside.of(c, "h", List.of(z.k, z.n), z.ranksOfAdapters(), 0);
    Beside gys = Beside.of(c, "gy", List.of(z.k, z.n), z.outs, 0);
    Slot g = c.vectorInOut("g", z.k, z.parameters());
    run(c, on -> LoraGroup.gradient(
        z.eachAdapted(i -> new Gradient(
            z.slot(i),
            new Kept(on.of(xa), z.low(us, on, i, 0), z.low(hs, on, i, 0), gys.part(on, i)), -0.25, on.of(g)))));
  }

  private static void gradientTangent(KernelCase c, Sizes z, boolean hasDx) {
    Slot xa = c.activation("xa", z.n, z.in);
    Slot dxa = c.activationOrNull(hasDx, "dxa", z.k, z.n, z.in);
    Beside us = Beside.of(c, "u", List.of(z.n), z.ranksOfAdapters(), 0);
    Beside hs = Beside.of(c, "h", List.of(z.n), z.ranksOfAdapters(), 0);
    Beside gys = Beside.of(c, "gy", List.of(z.n), z.outs, 0);
    Beside dus = Beside.of(c, "du", List.of(z.k, z.n), z.ranksOfAdapters(), 0);
    Beside dhs = Beside.of(c, "dh", List.of(z.k, z.n), z.ranksOfAdapters(), 0);
    Beside dgys = Beside.of(c, "dgy", List.of(z.k, z.n), z.outs, 0);
    Slot g = c.vectorInOut("g", z.k, z.parameters());
    run(c, on -> LoraGroup.gradientTangent(
        z.eachAdapted(i -> new GradientTangent(
            z.slot(i),
            new Kept(on.of(xa), z.low(us, on, i, 0), z.low(hs, on, i, 0), gys.part(on, i)),
            new KeptTangent(on.of(dxa), z.low(dus, on, i, 0), z.low(dhs, on, i, 0), dgys.part(on, i)),
            2, on.of(g)))));
  }

  private static void run(KernelCase c, Function<Side, KernelCall> call) {
    c.run(on -> on.backend().run(call.apply(on)));
  }

  /** Rows, inputs, each layer's outputs and rank (0: no adapter), directions. */
  private record Sizes(long n, long in, List<Integer> outs, List<Integer> ranks, long k) {
    static final List<Sizes> ALL =
        List.of(
            new Sizes(37, 64, List.of(64, 16, 16), List.of(8, 8, 8), 1),
            new Sizes(5, 33, List.of(40, 21), List.of(3, 5), 1),
            new Sizes(130, 48, List.of(80), List.of(16), 1),
            new Sizes(7, 24, List.of(24, 8, 8), List.of(4, 0, 4), 1),
            new Sizes(9, 24, List.of(17, 8, 9), List.of(2, 3, 2), 2),
            new Sizes(3, 20, List.of(30), List.of(70), 1),
            new Sizes(4, 16, List.of(8, 8), List.of(0, 0), 1));

    /** And those of several tiles of outputs and of rows, and of the largest ranks. */
    static final List<Sizes> WITH_ADAPTERS =
        Stream.concat(
                ALL.stream().filter(z -> z.rankSum() > 0),
                Stream.of(
                    new Sizes(75, 24, List.of(530, 8, 40), List.of(16, 16, 4), 1),
                    new Sizes(40, 16, List.of(516), List.of(32), 1)))
            .toList();

    boolean allAdapted() {
      return !ranks.contains(0);
    }

    long rankSum() {
      return ranks.stream().mapToLong(Integer::longValue).sum();
    }

    List<Integer> ranksOfAdapters() {
      return ranks.stream().filter(rank -> rank > 0).toList();
    }

    List<Integer> inputAndRanks() {
      return Stream.concat(Stream.of((int) in), ranksOfAdapters().stream()).toList();
    }

    List<Integer> outsAndRanks() {
      return Stream.concat(outs.stream(), ranksOfAdapters().stream()).toList();
    }

    <C> List<C> each(IntFunction<C> make) {
      return IntStream.range(0, outs.size()).mapToObj(make).toList();
    }

    <C> List<C> eachAdapted(IntFunction<C> make) {
      return IntStream.range(0, outs.size()).filter(i -> ranks.get(i) > 0).mapToObj(make).toList();
    }

    /** A layer's narrow tensor among others behind so many wide ones; null without an adapter. */
    Tensor low(Beside among, Side on, int layer, int wide) {
      int before = (int) ranks.subList(0, layer).stream().filter(rank -> rank > 0).count();
      return ranks.get(layer) == 0 ? null : among.part(on, wide + before);
    }

    /** Pairs lie one behind the other with gaps, B before A in every second one. */
    LoraSlot slot(int layer) {
      if (ranks.get(layer) == 0) {
        return null;
      }
      long begin = 3;
      for (int i = 0; i < layer; i++) {
        begin += 2 + ranks.get(i) * (in + outs.get(i));
      }
      long rank = ranks.get(layer);
      long out = outs.get(layer);
      return layer % 2 == 0
          ? new LoraSlot(in, out, rank, SCALE, begin, begin + rank * in)
          : new LoraSlot(in, out, rank, SCALE, begin + rank * out, begin);
    }

    long parameters() {
      return 20 + IntStream.range(0, outs.size()).mapToLong(i -> ranks.get(i) * (in + outs.get(i))).sum();
    }
  }

  /** What becomes of the input's adjoint. */
  private enum Gx {
    NULL,
    OVERWRITE,
    ACCUMULATE;

    Slot slot(KernelCase c, Sizes z) {
      return switch (this) {
        case NULL -> null;
        case OVERWRITE -> c.output("gx", z.k, z.n, z.in);
        case ACCUMULATE -> c.inOut("gx", z.k, z.n, z.in);
      };
    }

    InputAdjoint to(Tensor gx, int layer, Sizes z) {
      return new InputAdjoint(gx, null, this == ACCUMULATE || layer < z.outs.size() - 1);
    }
  }

  private record Layers(Sizes sizes, List<Frozen> weights, Slot theta, Slot v) {
    static Layers of(KernelCase c, Sizes z, boolean bias, boolean transposed) {
      List<Frozen> weights = c.frozenTogether(z.outs, z.in, bias, transposed);
      return new Layers(z, weights, c.vector("theta", z.parameters()), c.vector("v", z.k, z.parameters()));
    }

    LoraLinear on(Side on, int layer) {
      return new LoraLinear(on.of(weights.get(layer)), sizes.slot(layer));
    }

    Tensor theta(Side on, int layer) {
      return sizes.ranks.get(layer) == 0 ? null : on.of(theta);
    }

    Tensor v(Side on, int layer) {
      return sizes.ranks.get(layer) == 0 ? null : on.of(v);
    }
  }

  /** Tensors side by side in one slot, with columns that nobody compares behind; each in its own on other backends. */
  private record Beside(List<Slot> slots, List<Integer> widths, boolean together) {
    static Beside of(KernelCase c, String name, List<Long> rows, List<Integer> widths, long spare) {
      boolean together = c.bench().tested().takesColumns();
      List<Slot> slots = new ArrayList<>();
      long used = widths.stream().mapToLong(Integer::longValue).sum();
      if (together && !widths.isEmpty()) {
        Slot slot = c.inOut(name, dims(rows, used + spare));
        c.compareColumns(slot, used);
        slots.add(slot);
      } else {
        for (int i = 0; i < widths.size(); i++) {
          slots.add(c.inOut(name + i, dims(rows, widths.get(i))));
        }
      }
      return new Beside(slots, widths, together);
    }

    private static long[] dims(List<Long> rows, long width) {
      return Stream.concat(rows.stream(), Stream.of(width)).mapToLong(Long::longValue).toArray();
    }

    Tensor whole(Side on) {
      return together && !slots.isEmpty() ? on.of(slots.getFirst()) : null;
    }

    Tensor part(Side on, int i) {
      if (!together) {
        return on.of(slots.get(i));
      }
      long column = widths.subList(0, i).stream().mapToLong(Integer::longValue).sum();
      return whole(on).columns(column, widths.get(i));
    }
  }
}
