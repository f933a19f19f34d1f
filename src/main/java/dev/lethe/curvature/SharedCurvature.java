package dev.lethe.curvature;

import dev.lethe.curvature.sum.PartialSum;
import dev.lethe.curvature.sum.SentSum;
import dev.lethe.data.work.RowPart;
import dev.lethe.data.work.RowTask;
import dev.lethe.data.work.RowWorker;
import dev.lethe.data.work.RowWorkers;
import dev.lethe.data.work.Shared;
import dev.lethe.format.Sha256;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.HostTensors;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.tensor.TensorBytes;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * {@link DatasetCurvature} made in parts by the workers of a model: each keeps the linearizations of its part from the
 * first product on, vectors are sent to all, and the nodes of the sums come back. The bytes are those of one machine.
 */
final class SharedCurvature implements CurvatureOperator {
  private final Curvature kind;
  private final DatasetLoss loss;
  private final SharedRows rows;
  private final Shared<TensorBytes> theta;
  private final Product product;
  private long products;

  /**
   * @param theta (P)
   * @param n what the sum over samples is divided by
   */
  SharedCurvature(
      Curvature kind, DatasetLoss loss, RowWorkers<AdaptedModel> workers, Tensor theta, double n) {
    this.kind = kind;
    this.loss = loss;
    this.rows = new SharedRows(loss, workers);
    this.theta = rows.send(theta);
    String state = Sha256.start().add(HostTensors.download(loss.backend(), theta)).hex();
    this.product =
        new Product(
            kind, UUID.randomUUID().toString(), state, this.theta, n,
            loss.limits(), null);
  }

  /** A part's nodes of a product; v null: its linearizations are forgotten. */
  private record Product(
      Curvature kind,
      String data,
      String state,
      Shared<TensorBytes> theta,
      double n,
      BatchLimits limits,
      Shared<TensorBytes> v)
      implements RowTask<AdaptedModel, RowPart, ArrayList<SentSum>> {
    Product of(Shared<TensorBytes> vectors) {
      return new Product(kind, data, state, theta, n, limits, vectors);
    }

    @Override
    public ArrayList<SentSum> run(RowWorker<AdaptedModel> worker, RowPart part) {
      String place = data + " block " + part.firstBlock();
      if (v == null) {
        worker.forget(place);
        return new ArrayList<>();
      }
      AdaptedModel model = worker.model();
      KeptPart kept = worker.kept(place, state, KeptPart.class, () -> keep(model, part));
      try (Scope scope = model.backend().openScope("shared product")) {
        return SharedRows.sent(
            kept.curvature.parts(
                HostTensors.uploaded(model.backend(), scope, v.get().tensor()), done -> {}));
      }
    }

    private KeptPart keep(AdaptedModel model, RowPart part) {
      Scope scope = model.backend().openScope("shared curvature");
      try {
        Tensor at = HostTensors.uploaded(model.backend(), scope, theta.get().tensor());
        DatasetLoss own = DatasetLoss.ofPart(model, limits, part);
        MemoryBudget budget = MemoryBudget.automatic(model.backend());
        return new KeptPart(scope, new DatasetCurvature(kind, own, at, n, budget));
      } catch (RuntimeException | Error e) {
        scope.close();
        throw e;
      }
    }
  }

  private record KeptPart(Scope scope, DatasetCurvature curvature) implements AutoCloseable {
    @Override
    public void close() {
      curvature.close();
      scope.close();
    }
  }

  @Override
  public String name() {
    return kind.label();
  }

  @Override
  public long dimension() {
    return loss.parameters();
  }

  @Override
  public void apply(Tensor v, Tensor out) {
    try (Shared<TensorBytes> sent = rows.send(v)) {
      List<PartialSum> parts = SharedRows.received(rows.run(product.of(sent)));
      loss.backend().upload(PartialSum.total(parts), out);
    }
    products += v.dim(0);
  }

  @Override
  public long products() {
    return products;
  }

  /** Lets the workers forget their linearizations. */
  @Override
  public void close() {
    rows.run(product);
    theta.close();
    rows.close();
  }
}
