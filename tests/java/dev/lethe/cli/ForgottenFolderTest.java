package dev.lethe.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.Sample;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.session.Session;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import dev.lethe.trajectory.Trajectory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a new folder gives away of a removed row to somebody who has the row and the folder alone. */
class ForgottenFolderTest {
  private static final long SEED = 77;

  @TempDir Path dir;

  @Test
  void aRemovedRowIsNoNearerThanAnUnrelatedOne() throws IOException {
    Workplace place = new Workplace(dir);
    Path old = place.adapter("a", "--trajectory-dtype", "f32");
    Workplace.ok(
        "unlearn", "--model", place.model, "--adapter", old, "--data", place.data, "--out",
        place.at("b"), "--device", "reference", "--forget", "row-3");
    Path strangers = place.write("strangers.jsonl", Workplace.rows(8, SEED));
    try (Session session = Session.open(place.model, "reference")) {
      Sample removed = session.samples(place.data).get(3);
      assertEquals("row-3", removed.id());
      AdaptedModel model = session.adapted(place.at("b"));
      List<double[]> vectors = vectors(place.at("b"), model);
      double nearest = nearest(model, removed, vectors);
      double unrelated = 0;
      for (Sample stranger : session.samples(strangers)) {
        unrelated = Math.max(unrelated, nearest(model, stranger, vectors));
      }
      assertTrue(nearest <= unrelated, "seed %d: %s, %s".formatted(SEED, nearest, unrelated));
    }
    String rows = Files.readString(place.at("b/lethe_trajectory/rows.jsonl"));
    assertTrue(rows.contains("{\"id\":\"row-3\",\"hash\":\"\"}"), rows);
  }

  /** Every vector of P numbers in the trajectory and the sketch. */
  private static List<double[]> vectors(Path folder, AdaptedModel model) throws IOException {
    List<double[]> all = new ArrayList<>();
    try (Trajectory log = Trajectory.open(folder, model)) {
      for (int k = 0; k < log.steps(); k++) {
        all.add(log.gradient(k).toDoubles());
      }
    }
    try (Stream<Path> files = Files.walk(folder.resolve("lethe_operators"))) {
      for (Path file : files.filter(f -> f.toString().contains("sketch")).toList()) {
        try (SafeTensors sketch = SafeTensors.open(file)) {
          Tensor rows = sketch.get("rows");
          for (long i = 0; i < rows.dim(0); i++) {
            all.add(rows.row(i).toDoubles());
          }
        }
      }
    }
    return all;
  }

  /** The largest cosine, in size, of a row's gradient with one of the vectors. */
  private static double nearest(AdaptedModel model, Sample row, List<double[]> vectors) {
    double[] g = new double[Math.toIntExact(model.layout().size())];
    try (Scope scope = model.backend().openScope("row")) {
      Tensor sum = scope.allocate(model.backend().vectorType(), g.length);
      model.backend().vectors().fill(sum, 0);
      new DatasetLoss(model, List.of(row), BatchLimits.DEFAULT)
          .addGradient(model.adapter().theta(), 1, sum);
      model.backend().download(sum, Tensor.of(sum.shape(), g));
    }
    return vectors.stream().mapToDouble(v -> Math.abs(cosine(g, v))).max().orElse(0);
  }

  private static double cosine(double[] a, double[] b) {
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (int i = 0; i < a.length; i++) {
      ab += a[i] * b[i];
      aa += a[i] * a[i];
      bb += b[i] * b[i];
    }
    return ab / Math.sqrt(aa * bb);
  }
}
