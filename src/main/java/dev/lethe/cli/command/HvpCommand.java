package dev.lethe.cli.command;

import dev.lethe.Text;
import dev.lethe.backend.Backend;
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
import dev.lethe.curvature.BatchLimits;
import dev.lethe.curvature.Curvature;
import dev.lethe.curvature.CurvatureOperator;
import dev.lethe.curvature.DatasetCurvature;
import dev.lethe.curvature.DatasetLoss;
import dev.lethe.curvature.MemoryBudget;
import dev.lethe.curvature.sum.PartialSum;
import dev.lethe.data.Sample;
import dev.lethe.format.Sha256;
import dev.lethe.format.StrictJson;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.HostTensors;
import dev.lethe.session.Session;
import dev.lethe.session.machine.Work;
import dev.lethe.shard.ShardHeader;
import dev.lethe.shard.ShardOrigin;
import dev.lethe.shard.TensorShards;
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
  @Mixin private ShardOption shard;
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
    shard.check(this);
    final Curvature kind = option("--curvature", () -> Curvature.of(curvature));
    require(damping >= 0 && Double.isFinite(damping), "--damping is a finite number of 0 or more", damping);
    require(
        !shard.given() || kind != Curvature.EKFAC,
        "--shard splits sums over rows, and ekfac is none; lethe prepare --shard fits it in parts",
        "--curvature ekfac");
    take(out);
    try (Session session = dataOptions.in(model.open(this, common.openDevices(this)));
        Scope scope = session.backend().openScope("hvp")) {
      List<Sample> samples = session.samples(data, dataOptions.reading());
      AdaptedModel adapted = session.adapted(adapter.adapter);
      Tensor v = scope.allocate(session.backend().vectorType(), 1, adapted.layout().size());
      VectorFiles.read(vector, adapted, v.row(0));
      BatchLimits limits = dataOptions.limits(this, session, Work.HVP, adapted, samples, shard.given());
      DatasetLoss all = new DatasetLoss(adapted, samples, limits);
      if (shard.given()) {
        writeShard(all, kind, v, scope);
      } else {
        Tensor product = product(all, kind, v, scope);
        VectorFiles.write(out, adapted, product, metadata(kind));
        report(session, v.row(0), product, samples.size());
      }
      return ExitCode.DONE;
    }
  }

  private Map<String, String> metadata(Curvature kind) {
    return Map.of("content", kind.label() + " product", "damping", Double.toString(damping));
  }

  private void writeShard(DatasetLoss all, Curvature kind, Tensor v, Scope scope) {
    DatasetLoss loss = shard.of(all);
    List<PartialSum> parts = loss.size() == 0 ? List.of() : parts(loss, all.size(), kind, v);
    ShardOrigin origin =
        ShardOrigin.of("hvp", all.model(), all.samples(), dataOptions.limits())
            .with(TensorShards.BLOCKS, all.blocks())
            .with("vector", Sha256.start().add(HostTensors.download(all.backend(), v)).hex());
    Tensor last =
        shard.get().index() == 0 && damping != 0
            ? HostTensors.download(all.backend(), damped(all.backend(), v, scope))
            : null;
    TensorShards.writeSums(
        out,
        new ShardHeader(shard.get(), ShardHeader.Content.SUM, origin, metadata(kind)),
        all.model().layout(),
        parts,
        last);
    report(loss.size());
  }

  private List<PartialSum> parts(DatasetLoss loss, int n, Curvature kind, Tensor v) {
    try (Progress.Task task = progress().start(kind.label() + " product", loss.size(), "rows", kind == Curvature.HESSIAN ? 4 : 3);
        DatasetCurvature c =
            new DatasetCurvature(kind, loss, loss.model().adapter().theta(), n, MemoryBudget.NONE)) {
      return c.parts(
          v,
          done -> {
            task.done(done);
            stopIfAsked();
          });
    }
  }

  /** L v. */
  private Tensor damped(Backend backend, Tensor v, Scope scope) {
    Tensor out = scope.allocate(backend.vectorType(), v.shape());
    backend.vectors().fill(out, 0);
    backend.vectors().axpy(damping, v, out);
    return out;
  }

  private Tensor product(DatasetLoss loss, Curvature kind, Tensor v, Scope scope) {
    Backend backend = loss.backend();
    Tensor sum = scope.allocate(backend.vectorType(), v.shape());
    if (kind == Curvature.EKFAC || loss.isShared()) {
      Tensor theta = loss.model().adapter().theta();
      try (CurvatureOperator c =
          kind.over(loss, theta, loss.size(), MemoryBudget.NONE, common.seed)) {
        c.apply(v, sum);
      }
    } else {
      backend.upload(PartialSum.total(parts(loss, loss.size(), kind, v)), sum);
    }
    if (damping != 0) {
      backend.vectors().axpy(1, damped(backend, v, scope), sum);
    }
    return sum.row(0);
  }

  private void report(int rows) {
    if (output.json) {
      print(
          StrictJson.newObject()
              .put("out", out.toString())
              .put("curvature", curvature)
              .put("rows", rows)
              .put("shard", shard.get().toString()));
    } else {
      print(Text.format("%s: shard %s of a %s product, %,d rows", out, shard.get(), curvature, rows));
    }
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
