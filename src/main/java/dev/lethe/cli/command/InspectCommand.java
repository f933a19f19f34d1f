package dev.lethe.cli.command;

import dev.lethe.Text;
import dev.lethe.assess.Assessment;
import dev.lethe.cli.option.CommonOptions;
import dev.lethe.cli.option.DataOptions;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.option.LoadedModelOptions;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.curvature.Curvature;
import dev.lethe.data.Sample;
import dev.lethe.format.StrictJson;
import dev.lethe.format.huggingface.ModelFiles;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.replay.AveragedStep;
import dev.lethe.replay.prepare.PreparationSize;
import dev.lethe.session.Session;
import dev.lethe.session.machine.Machine;
import dev.lethe.session.machine.MemoryPlan;
import dev.lethe.session.machine.Work;
import dev.lethe.tensor.HostMemory;
import dev.lethe.tensor.Tensor;
import dev.lethe.train.TrainOptions;
import dev.lethe.unlearn.recording.ReplayOptions;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** What a model and an adapter are, and what working with them takes. */
@Command(
    name = "inspect",
    description = "Prints a model's and an adapter's shapes, parameters, and the memory that work needs.")
public final class InspectCommand extends LetheCommand {
  private static final int ROWS = 8;

  /** The original, the unlearned and the retrained one. */
  private static final int ADAPTERS = 3;

  private static final List<String> COUNTS = List.of("rows", "longest");

  @Mixin private LoadedModelOptions model;
  @Mixin private DataOptions dataOptions;
  @Mixin private CommonOptions common;

  @Option(names = "--adapter", paramLabel = "DIR", description = "adapter: a PEFT folder")
  private Path adapter;

  @Option(
      names = "--data",
      paramLabel = "FILE",
      description = "rows to work on (default: 8 rows of together --batch-tokens tokens)")
  private Path data;

  @Option(names = "--tensors", description = "list every tensor")
  private boolean tensors;

  public InspectCommand(Console console) {
    super(console);
  }

  @Override
  public int run() {
    common.check(this);
    dataOptions.check(this);
    try (Session session = dataOptions.in(model.open(this, common.openBackend(this)));
        PeftFolder peft = adapter == null ? null : PeftFolder.open(adapter)) {
      ModelFiles folder = session.folder();
      TransformerSpec spec = session.spec();
      ObjectNode json = StrictJson.newObject();
      json.set("model", model(folder, spec));
      if (peft != null) {
        json.set("adapter", adapter(peft));
      }
      json.set("memory", memory(session, spec, peft));
      if (output.json) {
        print(json);
      } else {
        printText(json);
      }
      if (tensors) {
        folder.tensorNames().forEach(name -> tensor(name, folder.tensor(name)));
        if (peft != null) {
          peft.tensors().forEach(this::tensor);
        }
      }
      return ExitCode.DONE;
    }
  }

  private static ObjectNode model(ModelFiles folder, TransformerSpec spec) {
    String first = folder.tensorNames().iterator().next();
    return StrictJson.newObject()
        .put("folder", folder.path().toString())
        .put("family", folder.config().modelType())
        .put("parameters", spec.parameters())
        .put("stored_as", CommonOptions.label(folder.tensor(first).dtype()))
        .put("layers", spec.layers())
        .put("hidden", spec.hidden())
        .put("feed_forward", spec.intermediate())
        .put("heads", spec.heads())
        .put("key_value_heads", spec.keyHeads())
        .put("head_size", spec.headSize())
        .put("vocabulary", spec.vocabulary())
        .put("context", spec.maxPositions())
        .put("tied_embeddings", spec.tiedEmbeddings());
  }

  private static ObjectNode adapter(PeftFolder peft) {
    ObjectNode json =
        StrictJson.newObject()
            .put("folder", peft.path().toString())
            .put("parameters", parameters(peft))
            .put("rank", peft.config().r())
            .put("alpha", peft.config().loraAlpha())
            .put("dropout", peft.config().loraDropout())
            .put("rank_stabilised", peft.config().useRslora())
            .put("pairs", peft.modules().size());
    json.put(
        "modules",
        String.join(
            " ",
            peft.modules().stream()
                .map(module -> module.substring(module.lastIndexOf('.') + 1))
                .distinct()
                .sorted()
                .toList()));
    String copies =
        String.join(
            " ",
            peft.tensors().keySet().stream()
                .filter(key -> PeftFolder.pairModule(key) == null)
                .map(key -> key.substring(PeftFolder.PREFIX.length()))
                .toList());
    return copies.isEmpty() ? json : json.put("frozen_copies", copies);
  }

  private static long parameters(PeftFolder peft) {
    return peft.tensors().entrySet().stream()
        .filter(tensor -> PeftFolder.pairModule(tensor.getKey()) != null)
        .mapToLong(tensor -> tensor.getValue().elements())
        .sum();
  }

  /** Bytes of tensors that each command takes at most, with the weights. */
  private ObjectNode memory(Session session, TransformerSpec spec, PeftFolder peft) {
    MemoryPlan plan = session.memoryPlan(peft);
    List<Sample> rows =
        data == null ? rows(spec) : session.samples(data, dataOptions.reading());
    HostMemory memory = HostMemory.now();
    ObjectNode json =
        StrictJson.newObject()
            .put("device", session.backend().name())
            .put("limit", session.backend().freeMemory().orElse(memory.limit()))
            .put("available", session.backend().freeMemory().orElse(memory.available()))
            .put("java", HostMemory.ofJava())
            .put("rows", rows.size())
            .put("longest", rows.stream().mapToInt(Sample::length).max().orElse(0))
            .put("weights", plan.loaded());
    for (Work work : works(session.spec(), rows, plan.loaded())) {
      if (peft != null || !work.needsAdapter()) {
        json.put(work.label(), plan.bytes(work, rows, dataOptions.limits()));
      }
    }
    return json;
  }

  /** As the commands do it with default settings. */
  private static List<Work> works(TransformerSpec spec, List<Sample> rows, long loaded) {
    TrainOptions training = TrainOptions.DEFAULT;
    long steps = training.totalSteps(rows.size());
    PreparationSize size = PreparationSize.usual(steps, training.batchSize());
    Assessment.Options assess = Assessment.Options.USUAL;
    return List.of(
        Work.EVALUATE,
        Work.generate(Work.NEW_TOKENS),
        Work.train(training.batchSize()),
        Work.GRADIENTS,
        Work.PER_SAMPLE,
        Work.HVP,
        Work.influence(Curvature.GGN, rows.subList(0, 1)),
        Work.prepare(size),
        Work.unlearn(Curvature.GGN),
        Work.recorded(size, ReplayOptions.USUAL.measuredSteps((int) steps, steps)),
        Work.again("exact", training.batchSize(), 1),
        Work.averaged(AveragedStep.draws(rows.size())),
        Work.published(Integer.MAX_VALUE),
        Assessment.work("assess", spec, ADAPTERS, assess.maxNewTokens(), true),
        Assessment.work("verify", spec, ADAPTERS, 0, false),
        Work.merge(loaded));
  }

  /** Rows that fill a batch, all their tokens supervised. */
  private List<Sample> rows(TransformerSpec spec) {
    long length = Math.clamp(dataOptions.limits().maxTokens() / ROWS, 2, spec.maxPositions());
    int[] ids = new int[(int) length];
    return IntStream.range(0, ROWS).mapToObj(i -> new Sample(Integer.toString(i), ids, ids, "")).toList();
  }

  private void printText(ObjectNode json) {
    json.properties()
        .forEach(
            section -> {
              print(section.getKey());
              boolean bytes = section.getKey().equals("memory");
              section
                  .getValue()
                  .properties()
                  .forEach(field -> print(line(field.getKey(), field.getValue(), bytes)));
            });
  }

  private static String line(String name, JsonNode value, boolean bytes) {
    String text = value.asString();
    if (value.isIntegralNumber()) {
      text =
          bytes && !COUNTS.contains(name)
              ? Machine.bytes(value.longValue())
              : Text.format("%,d", value.longValue());
    }
    return Text.format("  %-18s %s", name.replace('_', ' '), text);
  }

  private void tensor(String name, Tensor tensor) {
    if (output.json) {
      print(
          StrictJson.newObject()
              .put("tensor", name)
              .put("dtype", tensor.dtype().name())
              .put("shape", tensor.shape().toString()));
    } else {
      print(Text.format("%s %s", name, tensor));
    }
  }
}
