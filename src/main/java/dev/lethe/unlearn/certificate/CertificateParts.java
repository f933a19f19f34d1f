package dev.lethe.unlearn.certificate;

import dev.lethe.backend.Backend;
import dev.lethe.data.RowDigest;
import dev.lethe.data.RowKey;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.TrainingRecord;
import dev.lethe.unlearn.certificate.Certificate.Asked;
import dev.lethe.unlearn.certificate.Certificate.Environment;
import dev.lethe.unlearn.certificate.Certificate.Hashes;
import dev.lethe.unlearn.certificate.Certificate.Row;
import dev.lethe.unlearn.certificate.Certificate.Weights;
import dev.lethe.unlearn.request.Change;
import dev.lethe.unlearn.request.EarlierRequests;
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
    List<Row> rows = request.changes().stream().map(change -> row(change, request.key())).toList();
    EarlierRequests before = request.earlier();
    List<Row> earlier =
        before.changes().stream()
            .map(c -> new Row(c.id(), c.change(), rekeyed(c.oldHash(), request), rekeyed(c.newHash(), request)))
            .toList();
    int replaced = request.replacements().size();
    return new Asked(
        request.rows(), rows.size() - replaced, replaced, request.retained().size(), earlier, rows);
  }

  /** The hashes of a run on rows. */
  public static Hashes hashes(
      LanguageModel model, UnlearnRequest request, String adapterBefore, String adapterAfter) {
    RowKey key = request.key();
    return new Hashes(
        model.sha256(),
        key.of(TrainingRecord.dataSha256(request.data())),
        key.of(request.sha256()),
        adapterBefore,
        adapterAfter,
        key.id());
  }

  private static Row row(Change change, RowKey key) {
    return new Row(
        change.original().id(),
        label(change.kind()),
        key.of(change.original().hash()),
        change.replacement() == null ? null : key.of(change.replacement().hash()));
  }

  /** What an earlier certificate says of a row, under this request's key; null where that key was lost. */
  private static String rekeyed(String hash, UnlearnRequest request) {
    RowDigest digest = request.earlier().digest();
    if (hash == null || digest.isLost()) {
      return null;
    }
    return digest.isPlain() ? request.key().of(hash) : hash;
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
