package dev.lethe.backend.contract;

import dev.lethe.Text;
import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.backend.contract.harness.KernelCase;
import dev.lethe.backend.contract.harness.KernelCase.Side;
import dev.lethe.backend.contract.harness.KernelCase.Slot;
import dev.lethe.backend.kernel.LayerNormKernels;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.stream.Stream;

/** Residual add and layer norm in all modes, with and without each optional argument. */
final class LayerNormContract {
  private static final double EPSILON = 1e-2;
  private static final long[][] SIZES = {
    {1, 2}, {1, 17}, {3, 33}, {5, 64}, {2, 100}, {7, 65}, {4, 31}, {13, 3}, {6, 1}, {3, 4608}, {2, 515}
  };

  private static final double FAR = 256;

  /** The narrowest rows that have a spread worth the name. */
  private static final long WIDE = 31;

  private LayerNormContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    Stream.Builder<ContractCase> cases = Stream.builder();
    for (int size = 0; size < SIZES.length; size++) {
      Sizes z = new Sizes(1 + size % 3, SIZES[size][0], SIZES[size][1], 0);
      addFar(cases, bench, z);
      for (int present = 0; present < 4; present++) {
        boolean bias = (present & 1) != 0;
        boolean residual = (present & 2) != 0;
        String name = Text.format("layerNorm.forward%s b=%b f=%b", z, bias, residual);
        cases.add(bench.of(name, c -> forward(c, z, bias, residual)));
      }
      for (int present = 0; present < 8; present++) {
        boolean dx = (present & 1) != 0;
        boolean df = (present & 2) != 0;
        boolean ds = (present & 4) != 0;
        if (ds || dx != df) {
          String name = Text.format("layerNorm.tangent%s dx=%b df=%b ds=%b", z, dx, df, ds);
          cases.add(bench.of(name, c -> tangent(c, z, dx, df, ds)));
        }
      }
      for (Residual gs : Residual.values()) {
        cases.add(bench.of("layerNorm.backward" + z + " gs " + gs, c -> backward(c, z, gs)));
        String name = "layerNorm.backwardTangent" + z + " dgs " + gs;
        cases.add(bench.of(name, c -> backwardTangent(c, z, gs)));
      }
    }
    return cases.build();
  }

  /** Rows whose mean far exceeds their spread, as in GPT-2's residual stream: products with them must not cancel. */
  private static void addFar(Stream.Builder<ContractCase> cases, KernelBench bench, Sizes z) {
    if (z.d < WIDE) {
      return;
    }
    Sizes far = new Sizes(z.k, z.n, z.d, FAR);
    cases.add(bench.of("layerNorm.tangent" + far, c -> tangent(c, far, true, true, true)));
    cases.add(bench.of("layerNorm.backward" + far, c -> backward(c, far, Residual.GIVEN)));
    cases.add(
        bench.of("layerNorm.backwardTangent" + far, c -> backwardTangent(c, far, Residual.GIVEN)));
  }

  private static void forward(KernelCase c, Sizes z, boolean bias, boolean residual) {
    Slot w = c.activation("w", z.d);
    Slot b = c.activationOrNull(bias, "b", z.d);
    Slot x = c.activation("x", z.n, z.d);
    Slot f = c.activationOrNull(residual, "f", z.n, z.d);
    Slot s = residual ? c.output("s", z.n, z.d) : x;
    Primal p = new Primal(w, s, c.vectorOutput("mean", z.n), c.vectorOutput("r", z.n));
    Slot y = c.output("y", z.n, z.d);
    c.floor(z.flat());
    c.run(
        on ->
            on.backend()
                .run(
                    new LayerNormKernels.Forward(
                        p.on(on), on.of(b), EPSILON, on.of(x), on.of(f), on.of(y))));
  }

  private static void tangent(KernelCase c, Sizes z, boolean hasX, boolean hasF, boolean hasS) {
    Primal p = Primal.of(c, z);
    Slot dx = c.activationOrNull(hasX, "dx", z.k, z.n, z.d);
    Slot df = c.activationOrNull(hasF, "df", z.k, z.n, z.d);
    Slot ds = c.outputOrNull(hasS, "ds", z.k, z.n, z.d);
    Slot dy = c.output("dy", z.k, z.n, z.d);
    c.floor(z.flat());
    c.run(
        on ->
            on.backend()
                .run(
                    new LayerNormKernels.Tangent(
                        p.on(on), on.of(dx), on.of(df), on.of(ds), on.of(dy))));
  }

  private static void backward(KernelCase c, Sizes z, Residual residual) {
    Primal p = Primal.of(c, z);
    Slot gy = c.activation("gy", z.k, z.n, z.d);
    Slot gx = residual.out(c, "gx", z);
    Slot gs = residual.in(c, gx, "gs", z);
    c.floor(z.flat());
    c.run(
        on ->
            on.backend()
                .run(new LayerNormKernels.Backward(p.on(on), on.of(gs), on.of(gy), on.of(gx))));
  }

  private static void backwardTangent(KernelCase c, Sizes z, Residual residual) {
    Primal p = Primal.of(c, z);
    Slot gy = c.activation("gy", z.n, z.d);
    Slot ds = c.activation("ds", z.k, z.n, z.d);
    Slot dgy = c.activation("dgy", z.k, z.n, z.d);
    Slot dgx = residual.out(c, "dgx", z);
    Slot dgs = residual.in(c, dgx, "dgs", z);
    c.floor(z.flat());
    c.run(
        on ->
            on.backend()
                .run(
                    new LayerNormKernels.BackwardTangent(
                        p.on(on), on.of(gy), on.of(ds), on.of(dgs), on.of(dgy), on.of(dgx))));
  }

  /** k directions, n rows of d elements about a centre. */
  private record Sizes(long k, long n, long d, double centre) {
    /** Along rows of few elements the norm is flat, and terms of the size of r cancel; so may their mean. */
    double flat() {
      return d < 4 ? 1 / Math.sqrt(EPSILON) : 0.1;
    }

    @Override
    public String toString() {
      return Text.format(" (%d,%d) k=%d%s", n, d, k, centre == 0 ? "" : " about " + centre);
    }
  }

  /** How the residual's adjoint comes in. */
  private enum Residual {
    NULL,
    GIVEN,
    ALIASED;

    Slot out(KernelCase c, String name, Sizes z) {
      return this == ALIASED ? c.inOut(name, z.k, z.n, z.d) : c.output(name, z.k, z.n, z.d);
    }

    Slot in(KernelCase c, Slot out, String name, Sizes z) {
      return switch (this) {
        case NULL -> null;
        case GIVEN -> c.activation(name, z.k, z.n, z.d);
        case ALIASED -> out;
      };
    }
  }

  /** A weight, a sum, and the statistics that belong to it. */
  private record Primal(Slot w, Slot s, Slot mean, Slot r) {
    static Primal of(KernelCase c, Sizes z) {
      Slot w = c.activation("w", z.d);
      double[] sums = new double[Math.toIntExact(z.n * z.d)];
      Arrays.setAll(sums, i -> z.centre + c.random().nextGaussian());
      Slot s = c.activationOf("s", Tensor.of(Shape.of(z.n, z.d), sums));
      Tensor y = Tensor.of(Shape.of(z.n, z.d), new double[(int) (z.n * z.d)]);
      Tensor mean = Tensor.of(Shape.of(z.n), new double[(int) z.n]);
      Tensor r = Tensor.of(Shape.of(z.n), new double[(int) z.n]);
      LayerNormKernels.Primal p =
          new LayerNormKernels.Primal(w.onReference(), s.onReference(), mean, r);
      c.bench()
          .reference()
          .run(new LayerNormKernels.Forward(p, null, EPSILON, s.onReference(), null, y));
      return new Primal(w, s, c.vectorOf("mean", mean), c.vectorOf("r", r));
    }

    LayerNormKernels.Primal on(Side side) {
      return new LayerNormKernels.Primal(side.of(w), side.of(s), side.of(mean), side.of(r));
    }
  }
}
