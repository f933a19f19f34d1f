package dev.lethe.backend.contract;

import dev.lethe.Text;
import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.backend.contract.harness.KernelCase;
import dev.lethe.backend.contract.harness.KernelCase.Frozen;
import dev.lethe.backend.contract.harness.KernelCase.Side;
import dev.lethe.backend.contract.harness.KernelCase.Slot;
import dev.lethe.backend.kernel.LoraKernels;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.tensor.DType;
import java.util.function.Consumer;
import java.util.stream.Stream;

/**
 * The four modes of {@link LoraKernels}' layer; its gradients are {@link LoraGradientContract}'s.
 */
final class LoraContract {
  private LoraContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    Stream.Builder<ContractCase> cases = Stream.builder();
    for (LoraSizes z : LoraSizes.ALL) {
      for (Adapter adapter : Adapter.values()) {
        for (boolean flag : new boolean[] {false, true}) {
          String name = Text.format("lora.forward %s %s bias=%b", z, adapter, flag);
          cases.add(bench.of(name, c -> forward(c, z, adapter, flag)));
          name = Text.format("lora.tangent %s %s dx=%b", z, adapter, flag);
          cases.add(bench.of(name, c -> tangent(c, z, adapter, flag)));
        }
        for (Gx gx : Gx.values()) {
          if (!adapter.fits(gx)) {
            continue;
          }
          String suffix = Text.format(" %s %s gx %s", z, adapter, gx);
          cases.add(bench.of("lora.backward" + suffix, c -> backward(c, z, adapter, gx)));
          for (boolean dgy : new boolean[] {false, true}) {
            String name = Text.format("lora.backwardTangent%s dgy=%b", suffix, dgy);
            cases.add(bench.of(name, c -> backwardTangent(c, z, adapter, gx, dgy)));
          }
        }
      }
      String name = "lora.tangent " + z + " of the adapter's own input alone";
      cases.add(bench.of(name, LoraContract.ownInputAlone(z)));
    }
    return cases.build();
  }

  /** The modes over a weight that stays packed in a block format, with an adapter and without. */
  static Stream<ContractCase> packed(KernelBench bench, DType format, LoraSizes z) {
    Stream.Builder<ContractCase> cases = Stream.builder();
    for (Adapter adapter : new Adapter[] {Adapter.NONE, Adapter.SHARED_INPUT}) {
      String suffix = Text.format(" %s %s %s", format, z, adapter);
      cases.add(bench.of("lora.forward" + suffix, packed(format, c -> forward(c, z, adapter, true))));
      cases.add(bench.of("lora.tangent" + suffix, packed(format, c -> tangent(c, z, adapter, true))));
      cases.add(
          bench.of(
              "lora.backward" + suffix,
              packed(format, c -> backward(c, z, adapter, Gx.ACCUMULATE))));
      cases.add(
          bench.of(
              "lora.backwardTangent" + suffix,
              packed(format, c -> backwardTangent(c, z, adapter, Gx.OVERWRITE, true))));
    }
    return cases.build();
  }

  private static Consumer<KernelCase> packed(DType format, Consumer<KernelCase> body) {
    return c -> {
      c.packWeights(format);
      body.accept(c);
    };
  }

  private static void forward(KernelCase c, LoraSizes z, Adapter adapter, boolean bias) {
    Layer layer = Layer.of(c, z, adapter, bias, false);
    Slot x = c.activation("x", z.n(), z.in());
    Slot xa = adapter == Adapter.OWN_INPUT ? c.activation("xa", z.n(), z.in()) : x;
    Slot u = c.outputOrNull(adapter.present(), "u", z.n(), z.rank());
    Slot y = c.output("y", z.n(), z.out());
    c.run(
        on ->
            on.backend()
                .run(
                    new LoraKernels.Forward(
                        layer.on(on),
                        on.of(layer.theta),
                        on.of(x),
                        on.of(xa),
                        on.of(u),
                        on.of(y))));
  }

  private static void tangent(KernelCase c, LoraSizes z, Adapter adapter, boolean hasDx) {
    Slot dx = c.activationOrNull(hasDx, "dx", z.k(), z.n(), z.in());
    boolean own = hasDx && adapter == Adapter.OWN_INPUT;
    tangent(c, z, adapter, dx, c.activationOrNull(own, "dxa", z.k(), z.n(), z.in()));
  }

  private static Consumer<KernelCase> ownInputAlone(LoraSizes z) {
    return c -> tangent(c, z, Adapter.OWN_INPUT, null, c.activation("dxa", z.k(), z.n(), z.in()));
  }

  private static void tangent(KernelCase c, LoraSizes z, Adapter adapter, Slot dx, Slot dxa) {
    Layer layer = Layer.of(c, z, adapter, true, false);
    Slot xa = c.activation("xa", z.n(), z.in());
    Slot u = c.activationOrNull(adapter.present(), "u", z.n(), z.rank());
    Slot du = c.outputOrNull(adapter.present(), "du", z.k(), z.n(), z.rank());
    Slot dy = c.output("dy", z.k(), z.n(), z.out());
    c.run(
        on ->
            on.backend()
                .run(
                    new LoraKernels.Tangent(
                        layer.on(on),
                        on.of(layer.theta),
                        on.of(layer.v),
                        on.of(xa),
                        on.of(u),
                        new LoraKernels.InputTangent(on.of(dx), on.of(dxa)),
                        on.of(du),
                        on.of(dy))));
  }

  private static void backward(KernelCase c, LoraSizes z, Adapter adapter, Gx mode) {
    Layer layer = Layer.of(c, z, adapter, false, mode != Gx.NULL);
    Slot gy = c.activation("gy", z.k(), z.n(), z.out());
    Slot h = c.outputOrNull(adapter.present(), "h", z.k(), z.n(), z.rank());
    Slot gx = mode.slot(c, z);
    boolean own = adapter == Adapter.OWN_INPUT;
    Slot gxa = c.outputOrNull(own, "gxa", z.k(), z.n(), z.in());
    c.run(
        on ->
            on.backend()
                .run(
                    new LoraKernels.Backward(
                        layer.on(on),
                        on.of(layer.theta),
                        on.of(gy),
                        on.of(h),
                        new LoraKernels.InputAdjoint(
                            on.of(gx), on.of(gxa), mode == Gx.ACCUMULATE))));
  }

  private static void backwardTangent(
      KernelCase c, LoraSizes z, Adapter adapter, Gx mode, boolean hasDgy) {
    Layer layer = Layer.of(c, z, adapter, false, mode != Gx.NULL);
    Slot gy = c.activation("gy", z.n(), z.out());
    Slot h = c.activationOrNull(adapter.present(), "h", z.n(), z.rank());
    Slot dgy = c.activationOrNull(hasDgy, "dgy", z.k(), z.n(), z.out());
    Slot dh = c.outputOrNull(adapter.present(), "dh", z.k(), z.n(), z.rank());
    Slot dgx = mode.slot(c, z);
    boolean own = adapter == Adapter.OWN_INPUT;
    Slot dgxa = c.outputOrNull(own, "dgxa", z.k(), z.n(), z.in());
    c.run(
        on ->
            on.backend()
                .run(
                    new LoraKernels.BackwardTangent(
                        layer.on(on),
                        on.of(layer.theta),
                        on.of(layer.v),
                        on.of(gy),
                        on.of(h),
                        on.of(dgy),
                        on.of(dh),
                        new LoraKernels.InputAdjoint(
                            on.of(dgx), on.of(dgxa), mode == Gx.ACCUMULATE))));
  }

  /** The adapter of a layer: none, one that reads x, one that reads its own copy of x. */
  private enum Adapter {
    NONE,
    SHARED_INPUT,
    OWN_INPUT;

    boolean present() {
      return this != NONE;
    }

    /** A layer at the bottom is there for its adapter, and has no adjoint of either input. */
    boolean fits(Gx gx) {
      return gx != Gx.NULL || this == SHARED_INPUT;
    }
  }

  /** What becomes of the input's adjoint. */
  private enum Gx {
    NULL,
    OVERWRITE,
    ACCUMULATE;

    Slot slot(KernelCase c, LoraSizes z) {
      return switch (this) {
        case NULL -> null;
        case OVERWRITE -> c.output("gx", z.k(), z.n(), z.in());
        case ACCUMULATE -> c.inOut("gx", z.k(), z.n(), z.in());
      };
    }
  }

  /**
   * The frozen weight, parameters and directions of a layer; the latter two null without adapter.
   */
  private record Layer(Frozen weight, LoraSlot slot, Slot theta, Slot v) {
    static Layer of(KernelCase c, LoraSizes z, Adapter adapter, boolean bias, boolean transposed) {
      Frozen weight = c.frozen(z.out(), z.in(), bias, transposed);
      if (!adapter.present()) {
        return new Layer(weight, null, null, null);
      }
      Slot theta = c.vector("theta", z.parameters());
      return new Layer(weight, z.slot(), theta, c.vector("v", z.k(), z.parameters()));
    }

    LoraLinear on(Side side) {
      return new LoraLinear(side.of(weight), slot);
    }
  }
}
