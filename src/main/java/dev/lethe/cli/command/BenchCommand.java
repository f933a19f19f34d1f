package dev.lethe.cli.command;

import static java.util.stream.Collectors.joining;

import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.EnvironmentException;
import dev.lethe.backend.KernelTime;
import dev.lethe.bench.MachinePeak;
import dev.lethe.bench.Operation;
import dev.lethe.bench.Workload;
import dev.lethe.bench.WorkloadBench;
import dev.lethe.bench.WorkloadMemory;
import dev.lethe.bench.predict.AttentionProducts;
import dev.lethe.cli.option.CommonOptions;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.output.BenchReport;
import dev.lethe.cli.output.PredictionReport;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.cli.terminal.Progress;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.session.machine.Machine;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The times of the basic operations on this machine. */
@Command(
    name = "bench",
    description = {
      "Times forward, gradient, per-sample gradients, Hessian and Gauss-Newton products on random",
      "weights; one JSON object a line, comparable with a PyTorch script of the same workloads (lethe",
      "compare). flops and bytes are the least that the operation needs; peak_share and bandwidth_share are",
      "its rates over those of one large product and one long copy on this device. peak_bytes is the process's",
      "peak resident memory while the operation ran; tensor_bytes the most that Lethe's own tensors held since",
      "the start."
    })
public final class BenchCommand extends LetheCommand {
  private static final long WARMUP_NANOS = 3_000_000_000L;
  private static final long LONGEST_WARMUP_NANOS = 60_000_000_000L;

  @Mixin private CommonOptions common;

  @Option(
      names = "--workload",
      paramLabel = "W",
      defaultValue = "stories15m",
      description = "micro, stories15m, llama1b or llama7b (default: ${DEFAULT-VALUE})")
  private String workload;

  @Option(
      names = "--ops",
      paramLabel = "OP,OP",
      split = ",",
      defaultValue = "forward,grad,per_sample,hvp,hvp_again,ggn",
      description =
          "which operations: those of the default, and ggn_again, hvp_block and ggn_block, which"
              + " multiply --vectors vectors in one pass (default: ${DEFAULT-VALUE})")
  private List<String> ops;

  @Option(
      names = "--vectors",
      paramLabel = "K",
      defaultValue = "8",
      description = "vectors of hvp_block and ggn_block (default: ${DEFAULT-VALUE})")
  private int vectors;

  @Option(names = "--batch", paramLabel = "B", description = "samples, instead of the workload's")
  private Integer batch;

  @Option(names = "--seq", paramLabel = "T", description = "tokens of each sample")
  private Integer seq;

  @Option(names = "--layers", paramLabel = "L", description = "layers, instead of the workload's")
  private Integer layers;

  @Option(
      names = "--kernels",
      description =
          "also time and rates of every kernel, on a GPU by events; a table goes to standard error and a"
              + " JSON object a kernel to standard output. Timing costs time: do not compare such runs with"
              + " others")
  private boolean kernels;

  @Option(
      names = "--predict",
      description =
          "run nothing: print what a model of one H200 gives for each operation, and with --kernels for each"
              + " kernel, with attention by mma.sync and by wgmma (docs/gpu-model.md)")
  private boolean predict;

  @Option(
      names = "--runs",
      paramLabel = "N",
      defaultValue = "5",
      description = "timed runs (default: ${DEFAULT-VALUE})")
  private int runs;

  @Option(
      names = "--warmup",
      paramLabel = "N",
      defaultValue = "3",
      description = "at least this many runs before them, and more until for three seconds none was faster:"
              + " Java compiles; 0: none (default: ${DEFAULT-VALUE})")
  private int warmup;

  public BenchCommand(Console console) {
    super(console);
  }

  @Override
  public int run() {
    Workload shapes = shapes();
    List<Operation> operations = operations();
    common.check(this);
    require(runs >= 1, "--runs is 1 or more", runs);
    require(warmup >= 0, "--warmup is 0 or more", warmup);
    require(vectors >= 1, "--vectors is 1 or more", vectors);
    if (predict) {
      predict(shapes, operations);
      return ExitCode.DONE;
    }
    try (Backend backend = common.openBackend(this, kernels)) {
      WorkloadMemory.require(shapes, operations, vectors, backend);
      BenchReport report = new BenchReport(shapes, layers != null, vectors, backend, peak(backend));
      Path dir = temporaryFolder(shapes);
      try {
        try (Progress.Task task = progress().start("random weights", 0, "")) {
          shapes.write(dir, common.seed);
        }
        try (HfModelFolder folder = HfModelFolder.open(dir);
            LanguageModel model = LanguageModel.open(folder, backend);
            LoraAdapter adapter = LoraAdapter.create(shapes.adapterConfig(), model, common.seed);
            WorkloadBench bench =
                new WorkloadBench(shapes, new AdaptedModel(model, adapter), common.seed)) {
          for (Operation op : operations) {
            stopIfAsked();
            Machine.resetPeakResidentMemory();
            bench.prepare(op, vectors, work -> time(backend, report, op, work));
          }
        }
      } finally {
        delete(dir);
      }
      return ExitCode.DONE;
    }
  }

  private void predict(Workload shapes, List<Operation> operations) {
    String refusal = PredictionReport.refusal(shapes, operations);
    if (refusal != null) {
      throw usage(refusal);
    }
    for (AttentionProducts attention : AttentionProducts.values()) {
      PredictionReport report = new PredictionReport(shapes, attention);
      for (Operation op : operations) {
        print(report.line(op));
        if (kernels) {
          report.kernelLines(op).forEach(this::print);
        }
      }
    }
  }

  private MachinePeak peak(Backend backend) {
    try (Progress.Task task = progress().start("rates of a large product and a copy", 0, "")) {
      return MachinePeak.of(backend, warmup > 0);
    } finally {
      backend.takeKernelTimes();
    }
  }

  /** Runs it until it has not become faster by a twentieth for three seconds: Java has compiled what it runs. */
  private void warmUp(Runnable work) {
    long begun = System.nanoTime();
    long record = begun;
    long best = Long.MAX_VALUE;
    long now = begun;
    for (int i = 0;
        i < warmup
            || warmup > 0
                && now - record < WARMUP_NANOS
                && now - begun < LONGEST_WARMUP_NANOS;
        i++) {
      stopIfAsked();
      work.run();
      long end = System.nanoTime();
      if (end - now < best - best / 20) {
        record = end;
        best = end - now;
      }
      now = end;
    }
  }

  private void time(Backend backend, BenchReport report, Operation op, Runnable work) {
    double[] seconds = new double[runs];
    try (Progress.Task task = progress().start(op.label(), runs, "timed runs")) {
      warmUp(work);
      backend.takeKernelTimes();
      for (int i = 0; i < runs; i++) {
        stopIfAsked();
        long start = System.nanoTime();
        work.run();
        seconds[i] = (System.nanoTime() - start) / 1e9;
        task.done(i + 1L);
      }
    }
    List<KernelTime> times = backend.takeKernelTimes();
    Arrays.sort(seconds);
    double median = (seconds[(runs - 1) / 2] + seconds[runs / 2]) / 2;
    print(report.line(op, median, seconds[0]));
    if (kernels) {
      report.kernelLines(op, runs, times).forEach(this::print);
      console.err().print(report.kernelTable(op, runs, times));
      console.err().flush();
    }
    console.out().flush();
  }

  private Workload shapes() {
    Workload found =
        Workload.KNOWN.stream()
            .filter(w -> w.name().equals(workload))
            .findFirst()
            .orElseThrow(
                () ->
                    usage(
                        Text.format(
                            "--workload has no value '%s'; it is one of %s",
                            workload, Workload.KNOWN.stream().map(Workload::name).collect(joining(", ")))));
    Workload sized =
        found.sized(
            batch == null ? found.batch() : batch,
            seq == null ? found.seq() : seq,
            layers == null ? found.layers() : layers);
    require(sized.batch() >= 1, "--batch is 1 or more", batch);
    require(sized.seq() >= 2, "--seq is 2 or more", seq);
    require(sized.layers() >= 1, "--layers is 1 or more", layers);
    return sized;
  }

  private List<Operation> operations() {
    return ops.stream()
        .map(
            name ->
                Operation.byLabel(name)
                    .orElseThrow(
                        () ->
                            usage(
                                Text.format(
                                    "--ops has no value '%s'; it is of %s",
                                    name, String.join(", ", Operation.labels())))))
        .toList();
  }

  private static Path temporaryFolder(Workload shapes) {
    try {
      Path dir = Files.createTempDirectory("lethe-bench");
      long room = Files.getFileStore(dir).getUsableSpace();
      if (room < shapes.bytes() + (64 << 20)) {
        Files.delete(dir);
        throw new EnvironmentException(
            dir.getParent().toString(),
            Text.format(
                "the weights of %s take %s and %s are free",
                shapes.name(), Machine.bytes(shapes.bytes()), Machine.bytes(room)),
            "Make room, or name another folder with LETHE_JAVA_OPTS=-Djava.io.tmpdir=DIR.");
      }
      return dir;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void delete(Path dir) {
    try (Stream<Path> files = Files.list(dir)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
      Files.delete(dir);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
