package dev.lethe.backend.reference;

import dev.lethe.ArgumentException;
import dev.lethe.backend.kernel.EmbeddingKernels;
import dev.lethe.backend.kernel.Require;
import dev.lethe.backend.kernel.operand.FrozenEmbedding;
import dev.lethe.tensor.Tensor;

/** Token embedding. */
final class ReferenceEmbedding implements EmbeddingKernels {
  @Override
  public void forward(Forward call) {
    Tensor host = Table.of(call.table()).host;
    for (long n = 0; n < call.ids().elements(); n++) {
      long id = (long) call.ids().get(n);
      Require.index(call, "ids", n, id, call.table().vocabulary());
      call.y().row(n).copyFrom(host.row(id));
    }
  }

  /** Reads from the host tensor (V,D) that it was given. */
  public record Table(Tensor host) implements FrozenEmbedding {
    public Table {
      Require.rank("freezeEmbedding: table", host, 2);
    }

    static Table of(FrozenEmbedding table) {
      if (table instanceof Table own) {
        return own;
      }
      throw new ArgumentException(
          "table: expected one frozen by the reference backend, got " + table.getClass().getName());
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
