package dev.lethe.backend.contract;

import dev.lethe.Text;
import dev.lethe.backend.contract.KernelCase.Slot;
import dev.lethe.backend.kernel.SwiGluKernels;
import java.util.stream.Stream;

/** {@link SwiGluKernels} in its four modes. */
final class SwiGluContract {
  private static final long[][] SIZES = {
    {1, 1}, {1, 7}, {3, 33}, {5, 64}, {2, 100}, {7, 65}, {17, 31}, {1, 13}, {3, 72}
  };

  /** With the last, σ(a) leaves the range of float exponentials on both sides. */
  private static final double[] DEVIATIONS = {1, 8, 200};

  private SwiGluContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    Stream.Builder<ContractCase> cases = Stream.builder();
    for (int size = 0; size < SIZES.length; size++) {
      long n = SIZES[size][0];
      long f = SIZES[size][1];
      long k = 1 + size % 3;
      for (double deviation : DEVIATIONS) {
        String sizes = Text.format(" (%d,%d) k=%d deviation %.0f", n, f, k, deviation);
        cases.add(bench.of("swiGlu.forward" + sizes, c -> forward(c, n, f, deviation)));
        cases.add(bench.of("swiGlu.backward" + sizes, c -> backward(c, k, n, f, deviation)));
        for (int bits = 0; bits < 8; bits++) {
          int present = bits;
          String name = "swiGlu.backwardTangent" + sizes + " present " + present;
          cases.add(bench.of(name, c -> backwardTangent(c, k, n, f, deviation, present)));
          if (bits < 4) {
            name = "swiGlu.tangent" + sizes + " present " + present;
            cases.add(bench.of(name, c -> tangent(c, k, n, f, deviation, present)));
          }
        }
      }
    }
    return cases.build();
  }

  private static void forward(KernelCase c, long n, long f, double deviation) {
    Slot a = c.activation(deviation, "a", n, f);
    Slot b = c.activation("b", n, f);
    Slot h = c.output("h", n, f);
    c.run(on -> on.backend().run(new SwiGluKernels.Forward(on.of(a), on.of(b), on.of(h))));
  }

  private static void tangent(KernelCase c, long k, long n, long f, double deviation, int present) {
    Slot a = c.activation(deviation, "a", n, f);
    Slot b = c.activation("b", n, f);
    Slot da = c.activationOrNull((present & 1) != 0, "da", k, n, f);
    Slot db = c.activationOrNull((present & 2) != 0, "db", k, n, f);
    Slot dh = c.output("dh", k, n, f);
    c.run(
        on ->
            on.backend()
                .run(
                    new SwiGluKernels.Tangent(
                        on.of(a), on.of(b), on.of(da), on.of(db), on.of(dh))));
  }

  private static void backward(KernelCase c, long k, long n, long f, double deviation) {
    Slot a = c.activation(deviation, "a", n, f);
    Slot b = c.activation("b", n, f);
    Slot gh = c.activation("gh", k, n, f);
    Slot ga = c.output("ga", k, n, f);
    Slot gb = c.output("gb", k, n, f);
    c.run(
        on ->
            on.backend()
                .run(
                    new SwiGluKernels.Backward(
                        on.of(a), on.of(b), on.of(gh), on.of(ga), on.of(gb))));
  }

  private static void backwardTangent(
      KernelCase c, long k, long n, long f, double deviation, int present) {
    Slot a = c.activation(deviation, "a", n, f);
    Slot b = c.activation("b", n, f);
    Slot gh = c.activation("gh", n, f);
    Slot da = c.activationOrNull((present & 1) != 0, "da", k, n, f);
    Slot db = c.activationOrNull((present & 2) != 0, "db", k, n, f);
    Slot dgh = c.activationOrNull((present & 4) != 0, "dgh", k, n, f);
    Slot dga = c.output("dga", k, n, f);
    Slot dgb = c.output("dgb", k, n, f);
    c.run(
        on ->
            on.backend()
                .run(
                    new SwiGluKernels.BackwardTangent(
                        on.of(a),
                        on.of(b),
                        on.of(gh),
                        on.of(da),
                        on.of(db),
                        on.of(dgh),
                        on.of(dga),
                        on.of(dgb))));
  }
}
