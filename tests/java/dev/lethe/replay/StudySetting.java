package dev.lethe.replay;

import dev.lethe.ArgumentException;
import dev.lethe.RealData;
import dev.lethe.autograd.Gradients;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.Batches;
import dev.lethe.data.DatasetReader;
import dev.lethe.data.Encoder;
import dev.lethe.data.Sample;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.Divisor;
import dev.lethe.train.RowEdits;
import dev.lethe.train.Schedule;
import dev.lethe.train.TrainMonitor;
import dev.lethe.train.TrainOptions;
import dev.lethe.train.Trainer;
import dev.lethe.train.TrainingPlan;
import dev.lethe.train.TrainingSink;
import dev.lethe.trajectory.LoggedRow;
import dev.lethe.trajectory.LoggedStep;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.StreamSupport;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** A setting of the study (tests/resources/trajectory): stories260K trained on TOFU rows in a given order. */
final class StudySetting implements AutoCloseable {
  private static final Path HOME = Path.of("tests/resources/trajectory");
  private static final int VOCABULARY = 512;

  final Backend backend;
  final AdaptedModel model;
  final TrainOptions options;
  final TrainingPlan plan;
  final List<Sample> rows;
  final RowEdits edits;
  final List<Sample> forgotten;
  final List<Sample> retained;
  private final HfModelFolder folder;
  private final Map<String, Tensor> initial = new HashMap<>();
  private final SafeTensors initialFile;

  /**
   * Another training with a setting's model and order.
   *
   * @param rows the first of the setting's
   * @param rate at the beginning
   */
  record Variant(int rows, int epochs, int batchSize, double rate) {}

  StudySetting(String name, String device) {
    this(name, device, null, 0);
  }

  /**
   * @param variant null for the setting's own training
   * @param dropout of the adapter's inputs in training
   * @param removed places of rows to remove, in place of the setting's own request; none for that
   */
  StudySetting(String name, String device, Variant variant, double dropout, int... removed) {
    JsonNode json =
        JsonMapper.shared().readTree(HOME.resolve(name).resolve("setting.json").toFile());
    backend = Backends.select(device, new BackendOptions(1));
    folder = HfModelFolder.open(RealData.require("stories260K"));
    LanguageModel base = LanguageModel.open(folder, backend);
    List<String> modules = strings(json.path("modules"));
    PeftAdapterConfig config =
        PeftAdapterConfig.create(
            json.path("rank").asInt(), json.path("alpha").asDouble(), dropout, modules, "stories260K");
    LoraAdapter adapter = LoraAdapter.create(config, base, 1);
    model = new AdaptedModel(base, adapter);
    initialFile = SafeTensors.open(HOME.resolve(name).resolve("theta0.safetensors"));
    initialFile.names().forEach(tensor -> initial.put(tensor, initialFile.get(tensor)));
    Variant as =
        variant != null
            ? variant
            : new Variant(
                json.path("rows").asInt(),
                json.path("epochs").asInt(),
                json.path("batch_size").asInt(),
                json.path("rate").asDouble());
    options =
        TrainOptions.builder()
            .learningRate(as.rate())
            .schedule(Schedule.LINEAR)
            .epochs(as.epochs())
            .batchSize(as.batchSize())
            .clip(0)
            .build();
    rows = samples("rows.jsonl").subList(0, as.rows());
    plan = plan(json, rows, options);
    int[] asked = removed.length == 0 ? integers(json.path("request_rows")) : removed;
    edits = edits(removed.length == 0 ? json.path("request").asString() : "remove", asked);
    forgotten = IntStream.of(asked).mapToObj(rows::get).toList();
    retained =
        IntStream.of(integers(json.path("judged_retained_rows")))
            .filter(i -> i < rows.size())
            .mapToObj(rows::get)
            .filter(row -> !forgotten.contains(row))
            .toList();
  }

  private RowEdits edits(String request, int[] asked) {
    List<String> ids = IntStream.of(asked).mapToObj(i -> rows.get(i).id()).toList();
    return switch (request) {
      case "remove" -> RowEdits.of(rows, ids, List.of(), Divisor.KEEP);
      case "response" -> RowEdits.of(rows, List.of(), samples("replaced_response.jsonl"), Divisor.KEEP);
      case "query" -> RowEdits.of(rows, List.of(), samples("replaced_query.jsonl"), Divisor.KEEP);
      default -> throw new ArgumentException(request);
    };
  }

  private static List<Sample> samples(String file) {
    Path path = HOME.resolve(file);
    return new Encoder(null, null, 512, VOCABULARY)
        .encode(DatasetReader.read(path, Map.of()), path.toString());
  }

  private static TrainingPlan plan(JsonNode json, List<Sample> rows, TrainOptions options) {
    int[] order =
        StreamSupport.stream(json.path("order").spliterator(), false)
            .flatMapToInt(step -> IntStream.of(integers(step)))
            .filter(place -> place < rows.size())
            .limit((long) rows.size() * options.epochs())
            .toArray();
    int batch = options.batchSize();
    int count = order.length / batch;
    List<TrainingPlan.Step> steps = new ArrayList<>();
    for (int k = 0; k < count; k++) {
      int[] places = Arrays.copyOfRange(order, k * batch, (k + 1) * batch);
      double[] weights = new double[places.length];
      Arrays.fill(weights, 1.0 / places.length);
      double rate = options.learningRate() * (1 - (double) k / count);
      double epoch = (double) (k + 1) * options.epochs() / count;
      steps.add(
          new TrainingPlan.Step(
              rate, epoch, places, weights, new int[] {places.length}));
    }
    return TrainingPlan.of(rows, steps);
  }

  /** Trains from the setting's θ₀; the adapter's θ is the end. */
  MemoryLog train(RowEdits with) {
    model.layout().fromHost(backend, initial, model.adapter().theta(), "theta0");
    List<LoggedRow> logged =
        rows.stream().map(row -> new LoggedRow(row.id(), row.hash())).toList();
    MemoryLog log = new MemoryLog(options, logged, host(model.adapter().theta()));
    new Trainer(model, plan, options, with, TrainMonitor.NONE)
        .keep(
            new TrainingSink() {
              @Override
              public void onGradient(TrainingPlan.Step step, Tensor gradient) {
                log.add(
                    new LoggedStep(step.rate(), step.rows(), step.weights()),
                    host(gradient).toDoubles());
              }
            })
        .run(null, false);
    return log;
  }

  /** The adapter's present θ. */
  double[] theta() {
    return host(model.adapter().theta()).toDoubles();
  }

  /** The adapter gets this θ. */
  void reset(double[] theta) {
    backend.upload(
        Tensor.of(model.adapter().theta().shape(), theta), model.adapter().theta());
  }

  Tensor host(Tensor vector) {
    double[] values = new double[Math.toIntExact(vector.elements())];
    Tensor host = Tensor.of(vector.shape(), values);
    backend.download(vector, host);
    return host;
  }

  /** Probabilities at the supervised tokens of rows, and each token's weight in the mean over rows. */
  List<double[][]> predictions(List<Sample> of, double[] theta) {
    List<double[][]> all = new ArrayList<>();
    try (dev.lethe.tensor.Scope scope = backend.openScope("judge")) {
      Tensor at = scope.allocate(backend.vectorType(), theta.length);
      backend.upload(Tensor.of(dev.lethe.tensor.Shape.of(theta.length), theta), at);
      for (List<Sample> part : Batches.split(of, 16, BatchLimits.DEFAULT.maxTokens())) {
        try (Batch batch = Batch.of(part, backend)) {
          Tensor p = Gradients.probabilities(backend, model.tape(batch), at);
          for (int t = 0; t < p.dim(0); t++) {
            all.add(new double[][] {p.row(t).toDoubles()});
          }
        }
      }
    }
    return all;
  }

  /** Mean over rows of the mean over their supervised tokens of KL(p‖q). */
  static double divergence(List<Sample> rows, List<double[][]> p, List<double[][]> q) {
    double sum = 0;
    int at = 0;
    for (Sample row : rows) {
      int tokens = row.supervised();
      for (int t = 0; t < tokens; t++, at++) {
        for (int v = 0; v < p.get(at)[0].length; v++) {
          double a = p.get(at)[0][v];
          if (a > 0) {
            sum += a * Math.log(a / q.get(at)[0][v]) / tokens;
          }
        }
      }
    }
    return sum / rows.size();
  }

  private static List<String> strings(JsonNode array) {
    List<String> values = new ArrayList<>();
    array.forEach(value -> values.add(value.asString()));
    return values;
  }

  private static int[] integers(JsonNode array) {
    int[] values = new int[array.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = array.get(i).asInt();
    }
    return values;
  }

  @Override
  public void close() {
    model.adapter().close();
    model.model().close();
    initialFile.close();
    folder.close();
    backend.close();
  }
}
