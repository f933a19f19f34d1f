package dev.lethe.cli.command;

import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.cli.option.CommonOptions;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.option.LoadedModelOptions;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.format.StrictJson;
import dev.lethe.format.gguf.BaseModels;
import dev.lethe.format.huggingface.ModelFiles;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.nn.MemoryNeed;
import dev.lethe.nn.ModelFamily;
import dev.lethe.nn.TransformerSpec;
import dev.lethe.session.Machine;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
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
  @Mixin private LoadedModelOptions model;
  @Mixin private CommonOptions common;

  @Option(names = "--adapter", paramLabel = "DIR", description = "adapter: a PEFT folder")
  private Path adapter;

  @Option(
      names = "--batch-tokens",
      paramLabel = "N",
      defaultValue = "4096",
      description = "tokens worked on at a time (default: ${DEFAULT-VALUE})")
  private long batchTokens;

  @Option(names = "--tensors", description = "list every tensor")
  private boolean tensors;

  public InspectCommand(Console console) {
    super(console);
  }

  @Override
  public int run() {
    common.check(this);
    require(batchTokens >= 1, "--batch-tokens is 1 or more", batchTokens);
    try (ModelFiles folder = BaseModels.open(model.model);
        PeftFolder peft = adapter == null ? null : PeftFolder.open(adapter);
        Backend backend = common.openBackend(this)) {
      TransformerSpec spec = ModelFamily.spec(folder.config(), folder.path().toString());
      ObjectNode json = StrictJson.newObject();
      json.set("model", model(folder, spec));
      if (peft != null) {
        json.set("adapter", adapter(peft));
      }
      json.set("memory", memory(spec, folder, peft, backend));
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
    long parameters = peft.tensors().values().stream().mapToLong(Tensor::elements).sum();
    ObjectNode json =
        StrictJson.newObject()
            .put("folder", peft.path().toString())
            .put("parameters", parameters)
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
    return json;
  }

  /**
   * Bytes that work takes besides the weights: what a pass over one batch keeps, counted from the
   * shapes, and the vectors of a solve. Estimates, about a fifth off.
   */
  private ObjectNode memory(
      TransformerSpec spec, ModelFiles folder, PeftFolder peft, Backend backend) {
    long weights = MemoryNeed.ofWeights(spec, folder, backend);
    long tokens = Math.min(batchTokens, 32 * spec.maxPositions());
    long kept = MemoryNeed.ofPass(spec, backend, tokens);
    long theta =
        peft == null
            ? 0
            : peft.tensors().values().stream().mapToLong(Tensor::elements).sum()
                * backend.vectorType().bytes();
    return StrictJson.newObject()
        .put("device", backend.name())
        .put("available", Machine.current().availableMemory())
        .put("weights", weights)
        .put("evaluate", weights + kept / Math.max(1, spec.layers()) + theta)
        .put("gradients", weights + kept + 2 * theta)
        .put("hvp", weights + 3 * kept + 3 * theta)
        .put("unlearn_at_least", weights + 3 * kept + 10 * theta);
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
          bytes
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
