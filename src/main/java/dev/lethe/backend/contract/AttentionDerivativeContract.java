package dev.lethe.backend.contract;

import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.backend.contract.harness.KernelCase;
import dev.lethe.backend.contract.harness.KernelCase.Side;
import dev.lethe.backend.contract.harness.KernelCase.Slot;
import dev.lethe.backend.kernel.AttentionKernels;
import dev.lethe.backend.kernel.AttentionKernels.Primal;
import dev.lethe.backend.kernel.AttentionKernels.Tangents;
import dev.lethe.backend.kernel.operand.AttentionShape;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.List;
import java.util.stream.Stream;

/** The derivative modes of {@link AttentionKernels}. */
final class AttentionDerivativeContract {
  private static final int ALL_PRESENT = 15;

  private AttentionDerivativeContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    Stream.Builder<ContractCase> cases = Stream.builder();
    List<AttentionShape> shapes = AttentionCases.shapes();
    for (int i = 0; i < shapes.size(); i++) {
      for (Packing packing : AttentionCases.packings()) {
        add(cases, bench, new Setting(shapes.get(i), packing, 1 + i % 3), ALL_PRESENT);
      }
    }
    Setting small = new Setting(new AttentionShape(4, 2, 8, 0), Packing.ofLengths(5, 13), 2);
    for (int present = 0; present < ALL_PRESENT; present++) {
      add(cases, bench, small, present);
    }
    return cases.build();
  }

  private static void add(
      Stream.Builder<ContractCase> cases, KernelBench bench, Setting s, int present) {
    String suffix = Text.format("%s, longest %d, present %d", s, s.packing.longest(), present);
    cases.add(bench.of("attention.tangent " + suffix, c -> tangent(c, s, present)));
    cases.add(
        bench.of("attention.backwardTangent " + suffix, c -> backwardTangent(c, s, present)));
    if (present == ALL_PRESENT) {
      cases.add(bench.of("attention.backward " + suffix, c -> backward(c, s)));
    }
  }

  private static void tangent(KernelCase c, Setting s, int present) {
    Inputs in = Inputs.of(c, s);
    Slot[] d = inputTangents(c, s, present);
    Slot dO = c.output("dO", s.k, s.n(), s.queryWidth());
    Slot mu = c.vectorOutput("mu", s.k, s.heads(), s.n());
    c.run(
        on ->
            on.backend()
                .run(
                    new AttentionKernels.Tangent(
                        s.shape,
                        s.packing,
                        in.primal(on),
                        new AttentionKernels.Tangents(
                            on.of(d[0]), on.of(d[1]), on.of(d[2]), on.of(dO), on.of(mu)))));
  }

  private static void backward(KernelCase c, Setting s) {
    Inputs in = Inputs.of(c, s);
    Slot gO = c.activation("gO", s.k, s.n(), s.queryWidth());
    Slot delta = c.vectorOutput("delta", s.k, s.heads(), s.n());
    Slot[] g = inputAdjoints(c, s, "g");
    c.floor(1); // with one key in sight P̄ − D cancels to rounding errors
    c.run(
        on ->
            on.backend()
                .run(
                    new AttentionKernels.Backward(
                        s.shape,
                        s.packing,
                        in.primal(on),
                        on.of(gO),
                        on.of(delta),
                        new AttentionKernels.InputAdjoints(
                            on.of(g[0]), on.of(g[1]), on.of(g[2])))));
  }

  private static void backwardTangent(KernelCase c, Setting s, int present) {
    Inputs in = Inputs.of(c, s);
    Slot gO = c.activation("gO", s.n(), s.queryWidth());
    Slot[] d = inputTangents(c, s, present);
    Derived derived = Derived.of(c, s, in, gO, d);
    Slot dgO = c.activationOrNull((present & 8) != 0, "dgO", s.k, s.n(), s.queryWidth());
    Slot[] dg = inputAdjoints(c, s, "dg");
    c.floor(1);
    c.run(
        on ->
            on.backend()
                .run(
                    new AttentionKernels.BackwardTangent(
                        s.shape,
                        s.packing,
                        in.primal(on),
                        on.of(gO),
                        on.of(derived.delta),
                        new Tangents(
                            on.of(d[0]),
                            on.of(d[1]),
                            on.of(d[2]),
                            on.of(derived.dO),
                            on.of(derived.mu)),
                        on.of(dgO),
                        new AttentionKernels.InputAdjoints(
                            on.of(dg[0]), on.of(dg[1]), on.of(dg[2])))));
  }

  /** q̇, k̇, v̇ where bits 0, 1, 2 say so. */
  private static Slot[] inputTangents(KernelCase c, Setting s, int present) {
    return new Slot[] {
      c.activationOrNull((present & 1) != 0, "dq", s.k, s.n(), s.queryWidth()),
      c.activationOrNull((present & 2) != 0, "dk", s.k, s.n(), s.keyWidth()),
      c.activationOrNull((present & 4) != 0, "dv", s.k, s.n(), s.keyWidth())
    };
  }

  private static Slot[] inputAdjoints(KernelCase c, Setting s, String prefix) {
    return new Slot[] {
      c.output(prefix + "q", s.k, s.n(), s.queryWidth()),
      c.output(prefix + "k", s.k, s.n(), s.keyWidth()),
      c.output(prefix + "v", s.k, s.n(), s.keyWidth())
    };
  }

  private static Tensor zeros(long... dims) {
    Shape shape = Shape.of(dims);
    return Tensor.of(shape, new double[Math.toIntExact(shape.elements())]);
  }

  private record Setting(AttentionShape shape, Packing packing, int k) {
    int n() {
      return packing.rows();
    }

    int heads() {
      return shape.heads();
    }

    long queryWidth() {
      return shape.queryWidth();
    }

    long keyWidth() {
      return shape.keyWidth();
    }
  }

  /** q, k, v and what the reference's forward keeps of them. */
  private record Inputs(Slot q, Slot k, Slot v, Slot o, Slot lse) {
    static Inputs of(KernelCase c, Setting s) {
      Slot q = c.activation("q", s.n(), s.queryWidth());
      Slot k = c.activation("k", s.n(), s.keyWidth());
      Slot v = c.activation("v", s.n(), s.keyWidth());
      Tensor o = zeros(s.n(), s.queryWidth());
      Tensor lse = zeros(s.heads(), s.n());
      c.bench()
          .reference()
          .run(
              new AttentionKernels.Forward(
                  s.shape,
                  s.packing,
                  s.packing,
                  new AttentionKernels.Primal(
                      q.onReference(), k.onReference(), v.onReference(), o, lse)));
      return new Inputs(q, k, v, c.activationOf("o", o), c.vectorOf("lse", lse));
    }

    Primal primal(Side on) {
      return new Primal(on.of(q), on.of(k), on.of(v), on.of(o), on.of(lse));
    }

    Primal onReference() {
      return new Primal(
          q.onReference(), k.onReference(), v.onReference(), o.onReference(), lse.onReference());
    }
  }

  /** What the reference's tangent and backward give to the backward tangent. */
  private record Derived(Slot delta, Slot dO, Slot mu) {
    static Derived of(KernelCase c, Setting s, Inputs in, Slot gO, Slot[] d) {
      Backend reference = c.bench().reference();
      Tensor delta = zeros(1, s.heads(), s.n());
      reference.run(
          new AttentionKernels.Backward(
              s.shape,
              s.packing,
              in.onReference(),
              gO.onReference().reshape(1, s.n(), s.queryWidth()),
              delta,
              new AttentionKernels.InputAdjoints(
                  zeros(1, s.n(), s.queryWidth()),
                  zeros(1, s.n(), s.keyWidth()),
                  zeros(1, s.n(), s.keyWidth()))));
      Tensor dO = zeros(s.k, s.n(), s.queryWidth());
      Tensor mu = zeros(s.k, s.heads(), s.n());
      reference.run(
          new AttentionKernels.Tangent(
              s.shape,
              s.packing,
              in.onReference(),
              new AttentionKernels.Tangents(
                  onReference(d[0]), onReference(d[1]), onReference(d[2]), dO, mu)));
      return new Derived(
          c.vectorOf("delta", delta.reshape(s.heads(), s.n())),
          c.activationOf("dO", dO),
          c.vectorOf("mu", mu));
    }

    private static Tensor onReference(Slot slot) {
      return slot == null ? null : slot.onReference();
    }
  }
}
