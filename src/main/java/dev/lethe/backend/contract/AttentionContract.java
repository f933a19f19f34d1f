package dev.lethe.backend.contract;

import dev.lethe.Text;
import dev.lethe.backend.contract.harness.ContractCase;
import dev.lethe.backend.contract.harness.KernelBench;
import dev.lethe.backend.contract.harness.KernelCase;
import dev.lethe.backend.contract.harness.KernelCase.Slot;
import dev.lethe.backend.kernel.AttentionKernels;
import dev.lethe.backend.kernel.operand.AttentionShape;
import dev.lethe.backend.kernel.operand.Packing;
import java.util.stream.Stream;

/** The forward mode of {@link AttentionKernels}, in training and in decoding. */
final class AttentionContract {
  private AttentionContract() {}

  static Stream<ContractCase> cases(KernelBench bench) {
    Stream.Builder<ContractCase> cases = Stream.builder();
    int i = 0;
    for (AttentionShape shape : AttentionCases.shapes()) {
      for (Packing packing : AttentionCases.packings()) {
        boolean lse = i++ % 3 != 0;
        String name =
            Text.format(
                "attention.forward %s, %s, longest %d, lse=%b",
                shape, packing, packing.longest(), lse);
        cases.add(bench.of(name, c -> forward(c, shape, packing, packing, 0, lse, 1)));
      }
      Packing queries = Packing.ofLengths(1, 3, 1, 2);
      Packing keys = Packing.ofLengths(5, 3, 1, 33);
      String name = Text.format("attention.forward %s, decoding", shape);
      cases.add(bench.of(name, c -> forward(c, shape, queries, keys, 0, true, 1)));
      Packing one = Packing.ofLengths(1);
      Packing cache = Packing.ofLengths(17);
      name = Text.format("attention.forward %s, decoding with a longer cache", shape);
      cases.add(bench.of(name, c -> forward(c, shape, one, cache, 15, false, 1)));
    }
    for (int headSize : new int[] {16, 32, 64, 128}) {
      AttentionShape shape = new AttentionShape(2, 1, headSize, 0);
      Packing packing = Packing.ofLengths(130, 200);
      String name = Text.format("attention.forward %s, tiles of keys in turns", shape);
      cases.add(bench.of(name, c -> forward(c, shape, packing, packing, 0, true, 1)));
    }
    AttentionShape shape = new AttentionShape(4, 2, 16, 0);
    Packing packing = Packing.ofLengths(13, 33);
    String name = "attention.forward with scores in the hundreds";
    cases.add(bench.of(name, c -> forward(c, shape, packing, packing, 0, true, 10)));
    return cases.build();
  }

  private static void forward(
      KernelCase c,
      AttentionShape shape,
      Packing queries,
      Packing keys,
      int spareKeys,
      boolean hasLse,
      double deviation) {
    Slot q = c.activation(deviation, "q", queries.rows(), shape.queryWidth());
    Slot k = c.activation(deviation, "k", keys.rows() + spareKeys, shape.keyWidth());
    Slot v = c.activation("v", keys.rows() + spareKeys, shape.keyWidth());
    Slot o = c.output("o", queries.rows(), shape.queryWidth());
    Slot lse = hasLse ? c.vectorOutput("lse", shape.heads(), queries.rows()) : null;
    if (deviation > 1) {
      c.floor(deviation * deviation); // errors of scores grow with the scores
    }
    c.run(
        on ->
            on.backend()
                .run(
                    new AttentionKernels.Forward(
                        shape,
                        queries,
                        keys,
                        new AttentionKernels.Primal(
                            on.of(q), on.of(k), on.of(v), on.of(o), on.of(lse)))));
  }
}
