package dev.lethe.backend.reference;

import dev.lethe.backend.EmbeddingKernels;
import dev.lethe.backend.FrozenEmbedding;
import dev.lethe.backend.Require;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Tensor;

/** Token embedding. */
final class ReferenceEmbedding implements EmbeddingKernels {
  @Override
  public void forward(FrozenEmbedding table, Tensor ids, Tensor y) {
    Require.that(
        table instanceof Table, "embedding.forward: table", "one frozen by the reference", table);
    Require.rank("embedding.forward: ids", ids, 1);
    Require.tensor("embedding.forward: ids", ids, DType.I32, ids.dim(0));
    Require.tensor("embedding.forward: y", y, DType.F64, ids.dim(0), table.width());
    Tensor host = ((Table) table).host;
    for (long n = 0; n < ids.elements(); n++) {
      long id = (long) ids.get(n);
      Require.index("embedding.forward: ids", n, id, table.vocabulary());
      y.row(n).copyFrom(host.row(id));
    }
  }

  /** Reads from the host tensor (V,D) that it was given. */
  record Table(Tensor host) implements FrozenEmbedding {
    Table {
      Require.rank("freezeEmbedding: table", host, 2);
    }

    @Override
    public long vocabulary() {
      return host.dim(0);
    }

    @Override
    public long width() {
      return host.dim(1);
    }
  }
}
