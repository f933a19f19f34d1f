package dev.lethe.backend.contract;

import dev.lethe.Text;
import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.backend.contract.harness.KernelCase;
import dev.lethe.backend.contract.harness.KernelCase.Slot;
import dev.lethe.backend.kernel.LoraGradientKernels;
import dev.lethe.backend.kernel.LoraKernels;
import dev.lethe.backend.kernel.operand.Packing;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** The parameter gradients of {@link LoraKernels}, of whole batches and per sample. */
final class LoraGradientContract {
  private LoraGradientContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    Stream.Builder<ContractCase> cases = Stream.builder();
    for (LoraSizes z : LoraSizes.ALL) {
      cases.add(bench.of("lora.gradient " + z, c -> gradient(c, z)));
      for (boolean dxa : new boolean[] {false, true}) {
        for (boolean dgy : new boolean[] {false, true}) {
          String name = Text.format("lora.gradientTangent %s dxa=%b dgy=%b", z, dxa, dgy);
          cases.add(bench.of(name, c -> gradientTangent(c, z, dxa, dgy)));
        }
      }
      for (Packing packing : packings(z.n())) {
        String suffix = Text.format(" %s, %s", z, packing);
        cases.add(bench.of("lora.perSampleGradient" + suffix, c -> perSample(c, z, packing)));
        cases.add(bench.of("lora.perSampleSquaredNorm" + suffix, c -> norms(c, z, packing)));
        cases.add(bench.of("lora.perSampleDot" + suffix, c -> dots(c, z, packing)));
        cases.add(bench.of("lora.weightedGradient" + suffix, c -> weighted(c, z, packing)));
      }
    }
    return cases.build();
  }

  private static void gradient(KernelCase c, LoraSizes z) {
    Slot xa = c.activation("xa", z.n(), z.in());
    Slot u = c.activation("u", z.n(), z.rank());
    Slot h = c.activation("h", z.k(), z.n(), z.rank());
    Slot gy = c.activation("gy", z.k(), z.n(), z.out());
    Slot g = c.vectorInOut("g", z.k(), z.parameters());
    c.run(
        on ->
            on.backend()
                .run(
                    new LoraGradientKernels.Gradient(
                        z.slot(),
                        new LoraGradientKernels.Kept(on.of(xa), on.of(u), on.of(h), on.of(gy)),
                        -0.25,
                        on.of(g))));
  }

  private static void gradientTangent(KernelCase c, LoraSizes z, boolean hasDxa, boolean hasDgy) {
    Rows rows = Rows.of(c, z);
    Slot dxa = c.activationOrNull(hasDxa, "dxa", z.k(), z.n(), z.in());
    Slot du = c.activation("du", z.k(), z.n(), z.rank());
    Slot dh = c.activation("dh", z.k(), z.n(), z.rank());
    Slot dgy = c.activationOrNull(hasDgy, "dgy", z.k(), z.n(), z.out());
    Slot g = c.vectorInOut("g", z.k(), z.parameters());
    c.run(
        on ->
            on.backend()
                .run(
                    new LoraGradientKernels.GradientTangent(
                        z.slot(),
                        new LoraGradientKernels.Kept(
                            on.of(rows.xa), on.of(rows.u), on.of(rows.h), on.of(rows.gy)),
                        new LoraGradientKernels.KeptTangent(on.of(dxa), on.of(du), on.of(dh), on.of(dgy)),
                        2,
                        on.of(g))));
  }

  private static void perSample(KernelCase c, LoraSizes z, Packing packing) {
    Rows rows = Rows.of(c, z);
    Slot g = c.vectorInOut("g", packing.count(), z.parameters());
    c.run(
        on ->
            on.backend()
                .run(
                    new LoraGradientKernels.PerSampleGradient(
                        z.slot(),
                        packing,
                        new LoraGradientKernels.Kept(
                            on.of(rows.xa), on.of(rows.u), on.of(rows.h), on.of(rows.gy)),
                        0.5,
                        on.of(g))));
  }

  private static void norms(KernelCase c, LoraSizes z, Packing packing) {
    Rows rows = Rows.of(c, z);
    Slot norms = c.vectorInOut("norms", packing.count());
    c.run(
        on ->
            on.backend()
                .run(
                    new LoraGradientKernels.PerSampleSquaredNorm(
                        z.slot(),
                        packing,
                        new LoraGradientKernels.Kept(
                            on.of(rows.xa), on.of(rows.u), on.of(rows.h), on.of(rows.gy)),
                        on.of(norms))));
  }

  private static void dots(KernelCase c, LoraSizes z, Packing packing) {
    Rows rows = Rows.of(c, z);
    Slot v = c.vector("v", z.k(), z.parameters());
    Slot dots = c.vectorInOut("dots", z.k(), packing.count());
    c.floor(Math.sqrt((double) z.rank() * z.in())); // a dot of unit normals cancels to about this
    c.run(
        on ->
            on.backend()
                .run(
                    new LoraGradientKernels.PerSampleDot(
                        z.slot(),
                        packing,
                        on.of(v),
                        new LoraGradientKernels.Kept(
                            on.of(rows.xa), on.of(rows.u), on.of(rows.h), on.of(rows.gy)),
                        on.of(dots))));
  }

  private static void weighted(KernelCase c, LoraSizes z, Packing packing) {
    Rows rows = Rows.of(c, z);
    Slot weights = c.vector("weights", z.k(), packing.count());
    Slot g = c.vectorInOut("g", z.k(), z.parameters());
    c.run(
        on ->
            on.backend()
                .run(
                    new LoraGradientKernels.WeightedGradient(
                        z.slot(),
                        packing,
                        on.of(weights),
                        new LoraGradientKernels.Kept(
                            on.of(rows.xa), on.of(rows.u), on.of(rows.h), on.of(rows.gy)),
                        1.5,
                        on.of(g))));
  }

  private static List<Packing> packings(int rows) {
    return List.of(
        packing(rows, 1), packing(rows, 4), packing(rows, 1000), Packing.ofLengths(rows));
  }

  /** Sequences of 1, 2, … rows up to the longest, over and over, with an empty one at the start. */
  private static Packing packing(int rows, int longest) {
    List<Integer> lengths = new ArrayList<>(List.of(0));
    for (int left = rows, next = 1; left > 0; next = next % longest + 1) {
      int length = Math.min(left, next);
      lengths.add(length);
      left -= length;
    }
    return Packing.ofLengths(lengths);
  }

  /** The primal values that gradients are made of. */
  private record Rows(Slot xa, Slot u, Slot h, Slot gy) {
    static Rows of(KernelCase c, LoraSizes z) {
      return new Rows(
          c.activation("xa", z.n(), z.in()),
          c.activation("u", z.n(), z.rank()),
          c.activation("h", z.n(), z.rank()),
          c.activation("gy", z.n(), z.out()));
    }
  }
}
