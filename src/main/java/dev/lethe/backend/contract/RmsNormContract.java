package dev.lethe.backend.contract;

import dev.lethe.Text;
import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.backend.contract.harness.KernelCase;
import dev.lethe.backend.contract.harness.KernelCase.Slot;
import dev.lethe.backend.kernel.RmsNormKernels;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.stream.Stream;

/** {@link RmsNormKernels} in its four modes. */
final class RmsNormContract {
  private static final double EPSILON = 1e-5;
  private static final long[][] SIZES = {
    {1, 2}, {1, 17}, {3, 33}, {5, 64}, {2, 100}, {7, 65}, {4, 31}, {13, 3}, {6, 1}, {3, 4608}, {2, 515}
  };

  private RmsNormContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    Stream.Builder<ContractCase> cases = Stream.builder();
    for (int size = 0; size < SIZES.length; size++) {
      long n = SIZES[size][0];
      long d = SIZES[size][1];
      long k = 1 + size % 3;
      String sizes = Text.format(" (%d,%d) k=%d", n, d, k);
      for (boolean residual : new boolean[] {false, true}) {
        String name = "rmsNorm.forward" + sizes + (residual ? " residual" : "");
        cases.add(bench.of(name, c -> forward(c, n, d, residual)));
      }
      for (int present = 0; present < 8; present++) {
        boolean dx = (present & 1) != 0;
        boolean df = (present & 2) != 0;
        boolean ds = (present & 4) != 0;
        if (ds || dx != df) {
          String name = Text.format("rmsNorm.tangent%s dx=%b df=%b ds=%b", sizes, dx, df, ds);
          cases.add(bench.of(name, c -> tangent(c, k, n, d, dx, df, ds)));
        }
      }
      for (Residual gs : Residual.values()) {
        cases.add(
            bench.of("rmsNorm.backward" + sizes + " gs " + gs, c -> backward(c, k, n, d, gs)));
        String name = "rmsNorm.backwardTangent" + sizes + " dgs " + gs;
        cases.add(bench.of(name, c -> backwardTangent(c, k, n, d, gs)));
      }
    }
    return cases.build();
  }

  private static void forward(KernelCase c, long n, long d, boolean residual) {
    Slot w = c.activation("w", d);
    Slot x = c.activation("x", n, d);
    Slot f = c.activationOrNull(residual, "f", n, d);
    Slot s = c.outputOrNull(residual, "s", n, d);
    Slot y = c.output("y", n, d);
    Slot r = c.vectorOutput("r", n);
    c.run(
        on ->
            on.backend()
                .run(
                    new RmsNormKernels.Forward(
                        on.of(w), EPSILON, on.of(x), on.of(f), on.of(s), on.of(y), on.of(r))));
  }

  private static void tangent(
      KernelCase c, long k, long n, long d, boolean hasX, boolean hasF, boolean hasS) {
    Primal p = Primal.of(c, n, d);
    Slot dx = c.activationOrNull(hasX, "dx", k, n, d);
    Slot df = c.activationOrNull(hasF, "df", k, n, d);
    Slot ds = c.outputOrNull(hasS, "ds", k, n, d);
    Slot dy = c.output("dy", k, n, d);
    c.run(
        on ->
            on.backend()
                .run(
                    new RmsNormKernels.Tangent(
                        new RmsNormKernels.Primal(on.of(p.w), on.of(p.s), on.of(p.r)),
                        on.of(dx),
                        on.of(df),
                        on.of(ds),
                        on.of(dy))));
  }

  private static void backward(KernelCase c, long k, long n, long d, Residual residual) {
    Primal p = Primal.of(c, n, d);
    Slot gy = c.activation("gy", k, n, d);
    Slot gx = residual == Residual.ALIASED ? c.inOut("gx", k, n, d) : c.output("gx", k, n, d);
    Slot gs = residual.slot(c, gx, "gs", k, n, d);
    c.run(
        on ->
            on.backend()
                .run(
                    new RmsNormKernels.Backward(
                        new RmsNormKernels.Primal(on.of(p.w), on.of(p.s), on.of(p.r)),
                        on.of(gs),
                        on.of(gy),
                        on.of(gx))));
  }

  private static void backwardTangent(KernelCase c, long k, long n, long d, Residual residual) {
    Primal p = Primal.of(c, n, d);
    Slot gy = c.activation("gy", n, d);
    Slot ds = c.activation("ds", k, n, d);
    Slot dgy = c.activation("dgy", k, n, d);
    Slot dgx = residual == Residual.ALIASED ? c.inOut("dgx", k, n, d) : c.output("dgx", k, n, d);
    Slot dgs = residual.slot(c, dgx, "dgs", k, n, d);
    c.floor(1); // along a row of one element the norm is flat, and all terms cancel
    c.run(
        on ->
            on.backend()
                .run(
                    new RmsNormKernels.BackwardTangent(
                        new RmsNormKernels.Primal(on.of(p.w), on.of(p.s), on.of(p.r)),
                        on.of(gy),
                        on.of(ds),
                        on.of(dgs),
                        on.of(dgy),
                        on.of(dgx))));
  }

  /** How the residual's adjoint comes in. */
  private enum Residual {
    NULL,
    GIVEN,
    ALIASED;

    Slot slot(KernelCase c, Slot out, String name, long... dims) {
      return switch (this) {
        case NULL -> null;
        case GIVEN -> c.activation(name, dims);
        case ALIASED -> out;
      };
    }
  }

  /** A weight, a sum and the reciprocals that belong to it. */
  private record Primal(Slot w, Slot s, Slot r) {
    static Primal of(KernelCase c, long n, long d) {
      Slot w = c.activation("w", d);
      Slot s = c.activation("s", n, d);
      Tensor y = Tensor.of(Shape.of(n, d), new double[(int) (n * d)]);
      Tensor r = Tensor.of(Shape.of(n), new double[(int) n]);
      c.bench()
          .reference()
          .run(
              new RmsNormKernels.Forward(
                  w.onReference(), EPSILON, s.onReference(), null, null, y, r));
      return new Primal(w, s, c.vectorOf("r", r));
    }
  }
}
