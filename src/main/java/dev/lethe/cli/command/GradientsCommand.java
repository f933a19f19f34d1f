package dev.lethe.cli.command;

import dev.lethe.Text;
import dev.lethe.backend.EnvironmentException;
import dev.lethe.cli.option.AdapterOption;
import dev.lethe.cli.option.CommonOptions;
import dev.lethe.cli.option.DataOptions;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.option.LoadedModelOptions;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.cli.terminal.Progress;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.data.Sample;
import dev.lethe.format.StrictJson;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.ParameterLayout.Parameter;
import dev.lethe.session.Machine;
import dev.lethe.session.Session;
import dev.lethe.session.Work;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.HostAllocator;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The gradient of a data set, or one of every row. */
@Command(
    name = "gradients",
    description = {
      "Writes the gradient of the mean loss with respect to the adapter, under PEFT's names;",
      "with --per-sample one gradient a row, stacked in data order."
    })
public final class GradientsCommand extends LetheCommand {
  @Mixin private LoadedModelOptions model;
  @Mixin private AdapterOption adapter;
  @Mixin private DataOptions dataOptions;
  @Mixin private CommonOptions common;

  @Option(names = "--data", required = true, paramLabel = "FILE", description = "the rows")
  private Path data;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "FILE",
      description = "a safetensors file to write")
  private Path out;

  @Option(names = "--per-sample", description = "a gradient for every row")
  private boolean perSample;

  public GradientsCommand(Console console) {
    super(console);
  }

  @Override
  public int run() {
    common.check(this);
    dataOptions.check(this);
    take(out);
    try (Session session = dataOptions.in(this, model.open(this, common))) {
      List<Sample> samples = session.samples(data, dataOptions.reading());
      AdaptedModel adapted = session.adapted(adapter.adapter);
      Work work = perSample ? Work.PER_SAMPLE : Work.GRADIENTS;
      DatasetLoss loss =
          new DatasetLoss(adapted, samples, dataOptions.limits(this, session, work, adapted, samples));
      double norm = perSample ? writeEach(adapted, loss) : writeMean(adapted, loss);
      report(samples.size(), adapted.layout().size(), norm);
      return ExitCode.DONE;
    }
  }

  private double writeMean(AdaptedModel adapted, DatasetLoss loss) {
    Tensor theta = adapted.adapter().theta();
    int n = loss.size();
    try (Scope scope = adapted.backend().openScope("gradient");
        Progress.Task task = progress().start("gradient", n, "rows")) {
      Tensor g = scope.allocate(adapted.backend().vectorType(), adapted.layout().size());
      adapted.backend().vectors().fill(g, 0);
      int done = 0;
      for (List<Sample> part : JsonLines.chunks(loss.samples())) {
        stopIfAsked();
        loss.of(part).addGradient(theta, 1.0 / n, g);
        done += part.size();
        task.done(done);
      }
      VectorFiles.write(out, adapted, g, Map.of("content", "mean gradient", "rows", "" + n));
      return adapted.backend().vectors().norm(g);
    }
  }

  private double writeEach(AdaptedModel adapted, DatasetLoss loss) {
    int n = loss.size();
    DType type = adapted.backend().vectorType();
    requireMemory(n, adapted.layout().size() * type.bytes());
    try (HostAllocator memory = new HostAllocator();
        Scope host = Scope.open("per-sample gradients", memory);
        Progress.Task task = progress().start("per-sample gradients", n, "rows")) {
      Map<String, Tensor> all = new LinkedHashMap<>();
      for (Parameter p : adapted.layout().parameters()) {
        all.put(p.name(), host.allocate(type, Shape.of(n, p.shape().dim(0), p.shape().dim(1))));
      }
      double[] squares = new double[1];
      loss.perSample(
          adapted.adapter().theta(),
          (first, gradients) -> {
            stopIfAsked();
            squares[0] += adapted.backend().vectors().dot(gradients, gradients);
            adapted
                .layout()
                .rowsToHost(adapted.backend(), gradients)
                .forEach((name, rows) -> all.get(name).slice(first, rows.dim(0)).copyFrom(rows));
            task.done(first + gradients.dim(0));
          });
      SafeTensors.write(out, all, Map.of("content", "per-sample gradients", "rows", "" + n));
      return Math.sqrt(squares[0]);
    }
  }

  private static void requireMemory(int rows, long bytesEach) {
    long need = Math.multiplyExact(rows, bytesEach);
    long available = Machine.current().availableMemory();
    if (need > available) {
      throw new EnvironmentException(
          "gradients --per-sample",
          Text.format(
              "%,d gradients take %s and %s are free",
              rows, Machine.bytes(need), Machine.bytes(available)),
          "Split the data into several files.");
    }
  }

  private void report(int rows, long parameters, double norm) {
    if (output.json) {
      print(
          StrictJson.newObject()
              .put("out", out.toString())
              .put("rows", rows)
              .put("parameters", parameters)
              .put("per_sample", perSample)
              .put("norm", norm));
    } else {
      print(
          perSample
              ? Text.format(
                  "%s: %,d gradients of %,d numbers, norm of all together %.6g",
                  out, rows, parameters, norm)
              : Text.format(
                  "%s: the mean gradient of %,d rows, %,d numbers, norm %.6g",
                  out, rows, parameters, norm));
    }
  }
}
