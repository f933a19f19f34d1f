package dev.lethe.backend.contract;

import dev.lethe.Text;
import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.backend.contract.harness.KernelCase;
import dev.lethe.backend.contract.harness.KernelCase.Side;
import dev.lethe.backend.contract.harness.KernelCase.Slot;
import dev.lethe.backend.kernel.GatedUnitKernels;
import dev.lethe.backend.kernel.operand.Nonlinearity;
import java.util.stream.Stream;

/** {@link GatedUnitKernels} in its four modes. */
final class GatedUnitContract {
  private static final long[][] SIZES = {
    {1, 1}, {1, 7}, {3, 33}, {5, 64}, {2, 100}, {7, 65}, {17, 31}, {1, 13}, {3, 72}
  };

  /** With the third, f leaves the range of float exponentials on both sides; cubes of the last overflow. */
  private static final double[] DEVIATIONS = {1, 8, 200, 1e15};

  /** Bits of a case's number: which tangents are there. */
  private static final int INPUT = 1;

  private static final int GATE = 2;
  private static final int ADJOINT = 4;

  private GatedUnitContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    Stream.Builder<ContractCase> cases = Stream.builder();
    for (Nonlinearity f : Nonlinearity.values()) {
      for (int size = 0; size < SIZES.length; size++) {
        for (double deviation : DEVIATIONS) {
          for (boolean gated : new boolean[] {true, false}) {
            Unit unit =
                new Unit(f, gated, 1 + size % 3, SIZES[size][0], SIZES[size][1], deviation);
            unit.addCases(cases, bench);
          }
        }
      }
    }
    return cases.build();
  }

  /** One function at one size, with a gate or without. */
  private record Unit(Nonlinearity f, boolean gated, long k, long n, long width, double deviation) {
    void addCases(Stream.Builder<ContractCase> cases, KernelBench bench) {
      String name =
          Text.format(
              " (%d,%d) k=%d deviation %.0f %s%s",
              n, width, k, deviation, f, gated ? "" : " without gate");
      cases.add(bench.of("gatedUnit.forward" + name, this::forward));
      cases.add(bench.of("gatedUnit.backward" + name, this::backward));
      for (int bits = 0; bits < 8; bits++) {
        int present = bits;
        if (!gated && (present & GATE) != 0 || deviation > 1 && present < INPUT + ADJOINT) {
          continue;
        }
        String some = name + " present " + present;
        cases.add(
            bench.of("gatedUnit.backwardTangent" + some, c -> backwardTangent(c, present)));
        if ((present & ADJOINT) == 0 || deviation > 1) {
          cases.add(bench.of("gatedUnit.tangent" + some, c -> tangent(c, present)));
        }
      }
    }

    private void forward(KernelCase c) {
      Inputs in = inputs(c);
      Slot h = c.output("h", n, width);
      c.run(on -> on.backend().run(new GatedUnitKernels.Forward(in.on(on), on.of(h))));
    }

    private void tangent(KernelCase c, int present) {
      Inputs in = inputs(c);
      Slot da = c.activationOrNull((present & INPUT) != 0, "da", k, n, width);
      Slot db = c.activationOrNull((present & GATE) != 0, "db", k, n, width);
      Slot dh = c.output("dh", k, n, width);
      c.run(
          on ->
              on.backend()
                  .run(
                      new GatedUnitKernels.Tangent(
                          in.on(on), on.of(da), on.of(db), on.of(dh))));
    }

    private void backward(KernelCase c) {
      Inputs in = inputs(c);
      Slot gh = c.activation("gh", k, n, width);
      Slot ga = c.output("ga", k, n, width);
      Slot gb = c.outputOrNull(gated, "gb", k, n, width);
      c.run(
          on ->
              on.backend()
                  .run(
                      new GatedUnitKernels.Backward(
                          in.on(on), on.of(gh), on.of(ga), on.of(gb))));
    }

    private void backwardTangent(KernelCase c, int present) {
      Inputs in = inputs(c);
      Slot gh = c.activation("gh", n, width);
      Slot da = c.activationOrNull((present & INPUT) != 0, "da", k, n, width);
      Slot db = c.activationOrNull((present & GATE) != 0, "db", k, n, width);
      Slot dgh = c.activationOrNull((present & ADJOINT) != 0, "dgh", k, n, width);
      Slot dga = c.output("dga", k, n, width);
      Slot dgb = c.outputOrNull(gated, "dgb", k, n, width);
      c.run(
          on ->
              on.backend()
                  .run(
                      new GatedUnitKernels.BackwardTangent(
                          in.on(on),
                          on.of(gh),
                          on.of(da),
                          on.of(db),
                          on.of(dgh),
                          on.of(dga),
                          on.of(dgb))));
    }

    private Inputs inputs(KernelCase c) {
      Slot a = c.activation(deviation, "a", n, width);
      return new Inputs(f, a, c.activationOrNull(gated, "b", n, width));
    }
  }

  /** A call's primal arguments on both sides. */
  private record Inputs(Nonlinearity f, Slot a, Slot b) {
    GatedUnitKernels.Primal on(Side side) {
      return new GatedUnitKernels.Primal(f, side.of(a), side.of(b));
    }
  }
}
