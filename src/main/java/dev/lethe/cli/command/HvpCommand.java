package dev.lethe.cli.command;

import dev.lethe.Text;
import dev.lethe.cli.option.AdapterOption;
import dev.lethe.cli.option.CommonOptions;
import dev.lethe.cli.option.DataOptions;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.option.LoadedModelOptions;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.cli.terminal.Progress;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.Curvature;
import dev.lethe.curvature.CurvatureOperator;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.curvature.MemoryBudget;
import dev.lethe.data.Sample;
import dev.lethe.format.StrictJson;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.session.Session;
import dev.lethe.session.Work;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** A curvature times a vector. */
@Command(
    name = "hvp",
    description = {
      "Writes (C + L I) v for the mean curvature C of a data set at the adapter's parameters.",
      "Vectors are safetensors files under PEFT's names, as lethe gradients writes them."
    })
public final class HvpCommand extends LetheCommand {
  @Mixin private LoadedModelOptions model;
  @Mixin private AdapterOption adapter;
  @Mixin private DataOptions dataOptions;
  @Mixin private CommonOptions common;

  @Option(names = "--data", required = true, paramLabel = "FILE", description = "the rows")
  private Path data;

  @Option(names = "--vector", required = true, paramLabel = "FILE", description = "v")
  private Path vector;

  @Option(names = "--out", required = true, paramLabel = "FILE", description = "the product")
  private Path out;

  @Option(
      names = "--curvature",
      paramLabel = "C",
      defaultValue = "hessian",
      description = "hessian (exact), ggn, fisher or ekfac (default: ${DEFAULT-VALUE})")
  private String curvature;

  @Option(
      names = "--damping",
      paramLabel = "L",
      defaultValue = "0",
      description = "adds L times the vector (default: ${DEFAULT-VALUE})")
  private double damping;

  public HvpCommand(Console console) {
    super(console);
  }

  @Override
  public int run() {
    common.check(this);
    dataOptions.check(this);
    final Curvature kind = option("--curvature", () -> Curvature.of(curvature));
    require(damping >= 0 && Double.isFinite(damping), "--damping is a finite number of 0 or more", damping);
    take(out);
    try (Session session = dataOptions.in(this, model.open(this, common));
        Scope scope = session.backend().openScope("hvp")) {
      List<Sample> samples = session.samples(data, dataOptions.reading());
      AdaptedModel adapted = session.adapted(adapter.adapter);
      Tensor v = scope.allocate(session.backend().vectorType(), 1, adapted.layout().size());
      VectorFiles.read(vector, adapted, v.row(0));
      BatchLimits limits = dataOptions.limits(this, session, Work.HVP, adapted, samples);
      Tensor product = product(adapted, new DatasetLoss(adapted, samples, limits), kind, v, scope);
      VectorFiles.write(
          out,
          adapted,
          product,
          Map.of("content", kind.label() + " product", "damping", Double.toString(damping)));
      report(session, v.row(0), product, samples.size());
      return ExitCode.DONE;
    }
  }

  private Tensor product(
      AdaptedModel adapted, DatasetLoss loss, Curvature kind, Tensor v, Scope scope) {
    Tensor theta = adapted.adapter().theta();
    Tensor part = scope.allocate(adapted.backend().vectorType(), v.shape());
    Tensor sum = scope.allocate(adapted.backend().vectorType(), v.shape());
    adapted.backend().vectors().fill(sum, 0);
    adapted.backend().vectors().axpy(damping, v, sum);
    try (Progress.Task task = progress().start(kind.label() + " product", loss.size(), "rows")) {
      int done = 0;
      // EK-FAC is no sum over rows: its bases are those of all of them.
      List<List<Sample>> chunks =
          kind == Curvature.EKFAC ? List.of(loss.samples()) : JsonLines.chunks(loss.samples());
      for (List<Sample> rows : chunks) {
        stopIfAsked();
        try (CurvatureOperator c =
            kind.over(loss.of(rows), theta, loss.size(), MemoryBudget.NONE, common.seed)) {
          c.apply(v, part);
        }
        adapted.backend().vectors().axpy(1, part, sum);
        done += rows.size();
        task.done(done);
      }
    }
    return sum.row(0);
  }

  private void report(Session session, Tensor v, Tensor product, int rows) {
    double quadratic = session.backend().vectors().dot(v, product);
    double norm = session.backend().vectors().norm(product);
    if (output.json) {
      print(
          StrictJson.newObject()
              .put("out", out.toString())
              .put("curvature", curvature)
              .put("damping", damping)
              .put("rows", rows)
              .put("norm", norm)
              .put("quadratic_form", quadratic));
    } else {
      print(
          Text.format(
              "%s: %s product over %,d rows, norm %.6g, v'Cv %.6g",
              out, curvature, rows, norm, quadratic));
    }
  }
}
