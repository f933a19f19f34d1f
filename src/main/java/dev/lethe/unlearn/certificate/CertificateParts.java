package dev.lethe.unlearn.certificate;

import dev.lethe.backend.Backend;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.unlearn.certificate.Certificate.Asked;
import dev.lethe.unlearn.certificate.Certificate.Environment;
import dev.lethe.unlearn.certificate.Certificate.Row;
import dev.lethe.unlearn.certificate.Certificate.Weights;
import dev.lethe.unlearn.request.Change;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.util.List;
import java.util.Locale;

/** Pages that every certificate has. */
public final class CertificateParts {
  private CertificateParts() {}

  public static Environment environment(Backend backend) {
    String version = CertificateParts.class.getPackage().getImplementationVersion();
    return new Environment(
        version == null ? "development" : version,
        Runtime.version().toString(),
        System.getProperty("os.name") + " " + System.getProperty("os.arch"),
        backend.name(),
        backend.description(),
        backend.vectorType().name());
  }

  public static Asked asked(UnlearnRequest request) {
    List<Row> rows = request.changes().stream().map(CertificateParts::row).toList();
    List<Row> earlier =
        request.earlier().changes().stream()
            .map(c -> new Row(c.id(), c.change(), c.oldSha256(), c.newSha256()))
            .toList();
    int replaced = request.replacements().size();
    return new Asked(
        request.rows(), rows.size() - replaced, replaced, request.retained().size(), earlier, rows);
  }

  private static Row row(Change change) {
    return new Row(
        change.original().id(),
        label(change.kind()),
        change.original().hash(),
        change.replacement() == null ? null : change.replacement().hash());
  }

  /** Sizes of the model's own adapter and of a step from it, by what they do to the weights. */
  public static Weights weights(AdaptedModel model, Tensor start, Tensor end) {
    Backend backend = model.backend();
    LoraAdapter adapter = model.adapter();
    try (Scope scope = backend.openScope("weight distance")) {
      Tensor zero = scope.allocate(backend.vectorType(), start.elements());
      backend.vectors().fill(zero, 0);
      return new Weights(
          adapter.deltaWeightDistance(start, zero), adapter.deltaWeightDistance(start, end));
    }
  }

  /** part/whole; null where that is no number, as with a whole of 0. */
  public static Double ratio(double part, double whole) {
    return orNull(part / whole);
  }

  /** The number; null where it is NaN or infinite. */
  public static Double orNull(double value) {
    return Double.isFinite(value) ? value : null;
  }

  public static String label(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }
}
