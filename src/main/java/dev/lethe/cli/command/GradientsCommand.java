package dev.lethe.cli.command;

import dev.lethe.Text;
import dev.lethe.backend.EnvironmentException;
import dev.lethe.cli.option.AdapterOption;
import dev.lethe.cli.option.CommonOptions;
import dev.lethe.cli.option.DataOptions;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.option.LoadedModelOptions;
import dev.lethe.cli.option.ShardOption;
import dev.lethe.cli.output.VectorFiles;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.cli.terminal.Progress;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.curvature.sum.PartialSum;
import dev.lethe.data.Sample;
import dev.lethe.format.StrictJson;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.ParameterLayout.Parameter;
import dev.lethe.session.Session;
import dev.lethe.session.machine.Machine;
import dev.lethe.session.machine.Work;
import dev.lethe.shard.ShardHeader;
import dev.lethe.shard.ShardOrigin;
import dev.lethe.shard.TensorShards;
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
import tools.jackson.databind.node.ObjectNode;

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
  @Mixin private ShardOption shard;
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
    shard.check(this);
    take(out);
    try (Session session = dataOptions.in(model.open(this, common.openDevices(this)))) {
      List<Sample> samples = session.samples(data, dataOptions.reading());
      AdaptedModel adapted = session.adapted(adapter.adapter);
      Work work = perSample ? Work.PER_SAMPLE : Work.GRADIENTS;
      DatasetLoss all =
          new DatasetLoss(adapted, samples, dataOptions.limits(this, session, work, adapted, samples, shard.given()));
      DatasetLoss loss = shard.of(all);
      double norm;
      try (Progress.Task task = progress().start(content(), loss.size(), "rows", 2)) {
        DatasetLoss watched =
            loss.watched(
                done -> {
                  task.done(done);
                  stopIfAsked();
                });
        norm = perSample ? writeEach(adapted, all, watched) : writeMean(adapted, all, watched);
      }
      report(loss.size(), adapted.layout().size(), norm);
      return ExitCode.DONE;
    }
  }

  private String content() {
    return perSample ? "per-sample gradients" : "mean gradient";
  }

  private ShardHeader header(ShardHeader.Content kind, DatasetLoss all) {
    ShardOrigin origin =
        ShardOrigin.of("gradients, " + content(), all.model(), all.samples(), dataOptions.limits())
            .with(TensorShards.BLOCKS, all.blocks());
    return new ShardHeader(shard.get(), kind, origin, metadata(all));
  }

  private Map<String, String> metadata(DatasetLoss all) {
    return Map.of("content", content(), "rows", "" + all.size());
  }

  private double writeMean(AdaptedModel adapted, DatasetLoss all, DatasetLoss loss) {
    List<PartialSum> parts =
        loss.gradientParts(adapted.adapter().theta(), 1.0 / all.size());
    if (shard.given()) {
      TensorShards.writeSums(
          out, header(ShardHeader.Content.SUM, all), adapted.layout(), parts, null);
      return Double.NaN;
    }
    try (Scope scope = adapted.backend().openScope("gradient")) {
      Tensor g = scope.allocate(adapted.backend().vectorType(), adapted.layout().size());
      adapted.backend().upload(PartialSum.total(parts), g);
      VectorFiles.write(out, adapted, g, metadata(all));
      return adapted.backend().vectors().norm(g);
    }
  }

  private double writeEach(AdaptedModel adapted, DatasetLoss all, DatasetLoss loss) {
    int n = loss.size();
    DType type = adapted.backend().vectorType();
    requireMemory(n, adapted.layout().size() * type.bytes());
    try (HostAllocator memory = new HostAllocator();
        Scope host = Scope.open("per-sample gradients", memory)) {
      Map<String, Tensor> rows = new LinkedHashMap<>();
      for (Parameter p : n == 0 ? List.<Parameter>of() : adapted.layout().parameters()) {
        rows.put(p.name(), host.allocate(type, Shape.of(n, p.shape().dim(0), p.shape().dim(1))));
      }
      double[] squares = new double[1];
      loss.perSample(
          adapted.adapter().theta(),
          (first, gradients) -> {
            squares[0] += adapted.backend().vectors().dot(gradients, gradients);
            adapted
                .layout()
                .rowsToHost(adapted.backend(), gradients)
                .forEach((name, part) -> rows.get(name).slice(first, part.dim(0)).copyFrom(part));
          });
      if (shard.given()) {
        TensorShards.writeRows(out, header(ShardHeader.Content.ROWS, all), rows);
      } else {
        SafeTensors.write(out, rows, metadata(all));
      }
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
          "Make them in parts with --shard, or split the data into several files.");
    }
  }

  private void report(int rows, long parameters, double norm) {
    if (output.json) {
      ObjectNode json =
          StrictJson.newObject()
              .put("out", out.toString())
              .put("rows", rows)
              .put("parameters", parameters)
              .put("per_sample", perSample);
      print(shard.given() ? json.put("shard", shard.get().toString()) : json.put("norm", norm));
    } else if (shard.given()) {
      print(Text.format("%s: shard %s of the %s, %,d rows", out, shard.get(), content(), rows));
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
