package dev.lethe.cli;

import dev.lethe.autograd.Gradients;
import dev.lethe.autograd.Linearization;
import dev.lethe.autograd.Tape;
import dev.lethe.backend.Backend;
import dev.lethe.backend.EnvironmentException;
import dev.lethe.data.Sample;
import dev.lethe.format.HfModelFolder;
import dev.lethe.format.StrictJson;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.run.Machine;
import dev.lethe.run.Progress;
import dev.lethe.run.Versions;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ObjectNode;

/** The times of the basic operations on this machine. */
@Command(
    name = "bench",
    description = {
      "Times forward, gradient, per-sample gradients, Hessian and Gauss-Newton products on random",
      "weights; one JSON object a line, comparable with a PyTorch script of the same workloads.",
      "peak_bytes is the process's peak resident memory while the operation ran; tensor_bytes the most",
      "that Lethe's own tensors held since the start."
    })
final class BenchCommand extends LetheCommand {
  private static final long WARMUP_NANOS = 3_000_000_000L;
  private static final List<String> OPS =
      List.of(
          "forward", "grad", "per_sample", "hvp", "hvp_again", "hvp_block", "ggn", "ggn_again",
          "ggn_block");

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
      description = "at least this many runs, and three seconds, before them: Java compiles"
              + " (default: ${DEFAULT-VALUE})")
  private int warmup;

  BenchCommand(Console console) {
    super(console);
  }

  @Override
  int run() {
    Workload shapes = shapes();
    requireKnownOps();
    if (runs < 1 || warmup < 0) {
      throw usage("--runs must be at least 1 and --warmup not negative");
    }
    if (vectors < 1) {
      throw usage("--vectors must be at least 1, got " + vectors);
    }
    Path dir = temporaryFolder(shapes);
    try (Backend backend = common.openBackend(this)) {
      try (Progress.Task task = progress().start("random weights", 0, "")) {
        shapes.write(dir, common.seed);
      }
      try (HfModelFolder folder = HfModelFolder.open(dir);
          LanguageModel model = LanguageModel.open(folder, backend);
          LoraAdapter adapter = LoraAdapter.create(shapes.adapterConfig(), model, common.seed)) {
        randomise(adapter.theta(), backend, 1);
        measure(shapes, new AdaptedModel(model, adapter));
      }
      return ExitCode.DONE;
    } finally {
      delete(dir);
    }
  }

  private void measure(Workload shapes, AdaptedModel adapted) {
    Backend backend = adapted.backend();
    Tensor theta = adapted.adapter().theta();
    try (Scope scope = backend.openScope("bench");
        Batch data = Batch.of(samples(shapes), backend)) {
      Tape tape = adapted.tape(data);
      Tensor v = scope.allocate(backend.vectorType(), 1, theta.elements());
      Tensor g = scope.allocate(backend.vectorType(), 1, theta.elements());
      randomise(v, backend, 2);
      for (String op : ops) {
        stopIfAsked();
        Machine.resetPeakResidentMemory();
        switch (op) {
          case "forward" -> time(shapes, backend, op, "forward",
              () -> Gradients.losses(backend, tape, theta));
          case "grad" -> time(shapes, backend, op, "backward",
              () -> Gradients.addGradient(backend, tape, theta, 1.0 / shapes.batch(), g.row(0)));
          case "per_sample" -> perSample(shapes, backend, tape, theta, scope);
          case "hvp" -> time(shapes, backend, op, "linearize_r_operator",
              () -> once(backend, tape, theta, at -> at.addHvp(v, 1.0 / shapes.batch(), g)));
          case "ggn" -> time(shapes, backend, op, "linearize_jvp_vjp",
              () -> once(backend, tape, theta, at -> at.addGgn(v, 1.0 / shapes.batch(), g)));
          default -> again(shapes, op, backend, tape, theta);
        }
      }
    }
  }

  private void perSample(
      Workload shapes, Backend backend, Tape tape, Tensor theta, Scope scope) {
    Tensor each = scope.allocate(backend.vectorType(), shapes.batch(), theta.elements());
    time(
        shapes, backend, "per_sample", "batched", () -> Gradients.perSample(backend, tape, theta, each));
    scope.release(each);
  }

  /** Products at a kept linearization: one vector, or {@link #vectors} in one pass. */
  private void again(Workload shapes, String op, Backend backend, Tape tape, Tensor theta) {
    boolean block = op.endsWith("_block");
    int k = block ? vectors : 1;
    double scale = 1.0 / shapes.batch();
    try (Scope scope = backend.openScope(op);
        Linearization at = new Linearization(backend, tape, theta)) {
      Tensor v = scope.allocate(backend.vectorType(), k, theta.elements());
      Tensor out = scope.allocate(backend.vectorType(), k, theta.elements());
      randomise(v, backend, 2);
      backend.vectors().fill(out, 0);
      String way = block ? "kept_linearization_%d_vectors".formatted(k) : "kept_linearization";
      time(
          shapes,
          backend,
          op,
          way,
          op.startsWith("hvp")
              ? () -> at.addHvp(v, scale, out)
              : () -> at.addGgn(v, scale, out));
    }
  }

  private static void once(
      Backend backend, Tape tape, Tensor theta, Consumer<Linearization> use) {
    try (Linearization at = new Linearization(backend, tape, theta)) {
      use.accept(at);
    }
  }

  private void time(Workload shapes, Backend backend, String op, String way, Runnable work) {
    double[] seconds = new double[runs];
    try (Progress.Task task = progress().start(op, runs, "timed runs")) {
      long begun = System.nanoTime();
      for (int i = 0; i < warmup || warmup > 0 && System.nanoTime() - begun < WARMUP_NANOS; i++) {
        stopIfAsked();
        work.run();
      }
      for (int i = 0; i < runs; i++) {
        stopIfAsked();
        long start = System.nanoTime();
        work.run();
        seconds[i] = (System.nanoTime() - start) / 1e9;
        task.done(i + 1L);
      }
    }
    Arrays.sort(seconds);
    double median = (seconds[(runs - 1) / 2] + seconds[runs / 2]) / 2;
    ObjectNode json = StrictJson.newObject();
    json.put("peer", "lethe " + Versions.current().lethe());
    json.put("workload", shapes.name()).put("device", backend.name());
    json.put("dtype", backend.activationType() == DType.F64 ? "fp64" : "fp32");
    json.put("batch", shapes.batch()).put("seq", shapes.seq()).put("op", op).put("way", way);
    json.put("median_s", median).put("min_s", seconds[0]);
    json.put("tokens_per_s", shapes.batch() * (double) shapes.seq() / median);
    Machine.peakResidentMemory().ifPresent(bytes -> json.put("peak_bytes", bytes));
    json.put("tensor_bytes", backend.memoryUse().peakBytes());
    print(json);
    console.out().flush();
  }

  private Workload shapes() {
    Workload found =
        Workload.KNOWN.stream()
            .filter(w -> w.name().equals(workload))
            .findFirst()
            .orElseThrow(() -> usage("--workload has no value '" + workload + "'"));
    Workload sized =
        found.withBatch(batch == null ? found.batch() : batch, seq == null ? found.seq() : seq);
    if (sized.batch() < 1 || sized.seq() < 2) {
      throw usage("--batch must be at least 1 and --seq at least 2");
    }
    return sized;
  }

  private void requireKnownOps() {
    for (String op : ops) {
      if (!OPS.contains(op)) {
        throw usage("--ops has no value '" + op + "'; it is of " + String.join(", ", OPS));
      }
    }
  }

  private List<Sample> samples(Workload shapes) {
    Random random = new Random(common.seed + 3);
    List<Sample> samples = new ArrayList<>();
    for (int i = 0; i < shapes.batch(); i++) {
      int[] ids = random.ints(shapes.seq(), 0, shapes.vocabulary()).toArray();
      samples.add(new Sample(Integer.toString(i), ids, ids, "random"));
    }
    return samples;
  }

  private void randomise(Tensor target, Backend backend, int stream) {
    Random random = new Random(common.seed + stream);
    double[] values = new double[Math.toIntExact(target.elements())];
    Arrays.setAll(values, i -> 0.02 * random.nextGaussian());
    backend.upload(Tensor.of(Shape.of(values.length), values), target.reshape(values.length));
  }

  private static Path temporaryFolder(Workload shapes) {
    try {
      Path dir = Files.createTempDirectory("lethe-bench");
      long room = Files.getFileStore(dir).getUsableSpace();
      if (room < shapes.bytes() + (64 << 20)) {
        Files.delete(dir);
        throw new EnvironmentException(
            dir.getParent().toString(),
            "the weights of %s take %s and %s are free"
                .formatted(shapes.name(), Machine.bytes(shapes.bytes()), Machine.bytes(room)),
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
