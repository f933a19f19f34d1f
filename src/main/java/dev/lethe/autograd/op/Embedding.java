package dev.lethe.autograd.op;

import dev.lethe.backend.kernel.EmbeddingKernels;
import dev.lethe.backend.kernel.operand.FrozenEmbedding;
import dev.lethe.tensor.Tensor;
import java.util.List;

/** y = table[ids]. The table is frozen and nothing lies below it. */
public record Embedding(FrozenEmbedding table, Tensor ids, Value y) implements Source {
  /** ids I32 (N); gives (N,D). */
  public static Value on(Recorder tape, FrozenEmbedding table, Tensor ids) {
    Value y = tape.activation(ids.elements(), table.width(), false);
    return tape.record(new Embedding(table, ids, y)).y;
  }

  @Override
  public List<Value> outputs() {
    return List.of(y);
  }

  @Override
  public void forward(ForwardPass pass) {
    pass.backend().run(new EmbeddingKernels.Forward(table, ids, pass.primal().allocate(y)));
  }
}
