package dev.lethe.cli.command;

import dev.lethe.Text;
import dev.lethe.cli.option.AdapterOption;
import dev.lethe.cli.option.CommonOptions;
import dev.lethe.cli.option.LetheCommand;
import dev.lethe.cli.option.ModelOptions;
import dev.lethe.cli.terminal.Console;
import dev.lethe.cli.terminal.ExitCode;
import dev.lethe.curvature.BatchLimits;
import dev.lethe.data.Sample;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.OutputFolder;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.MergedFolder;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.session.Session;
import dev.lethe.session.machine.MemoryPlan;
import dev.lethe.session.machine.Work;
import dev.lethe.tensor.DType;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ObjectNode;

/** An adapter becomes part of its model. */
@Command(
    name = "merge",
    description = {
      "Adds an adapter to its model's weights and writes the sum as a model of its own. The new folder is read",
      "again and computes the logits of some random tokens; the largest difference from model and adapter is printed."
    })
public final class MergeCommand extends LetheCommand {
  private static final int TOKENS = 24;

  @Mixin private ModelOptions model;
  @Mixin private AdapterOption adapter;
  @Mixin private CommonOptions common;

  @Option(names = "--out", required = true, paramLabel = "DIR", description = "the new folder; must not exist")
  private Path out;

  @Option(
      names = "--weights",
      paramLabel = "FORMAT",
      description = {
        "format of the new weights: ${COMPLETION-CANDIDATES} (default: each as in the model; F32 for weights that",
        "are packed there)"
      })
  private Format weights;

  /** What weights can be written as. */
  enum Format {
    F32(DType.F32),
    F16(DType.F16),
    BF16(DType.BF16);

    private final DType dtype;

    Format(DType dtype) {
      this.dtype = dtype;
    }
  }

  public MergeCommand(Console console) {
    super(console);
  }

  @Override
  public int run() {
    OutputFolder.refuseExisting(out);
    take(out);
    try (Session session = model.open(this, common.openBackend(this)).withoutHiddenStates();
        OutputFolder folder = OutputFolder.create(out)) {
      int[] ids = tokens(session.spec());
      requireMemory(session, ids);
      AdaptedModel adapted = session.adapted(adapter.adapter);
      MergedFolder merged =
          new MergedFolder(session.folder(), adapted.adapter(), weights == null ? null : weights.dtype);
      merged.writeInto(folder.path(), session.ownTokenizer());
      double[][] expected = adapted.logits(ids);
      double[][] got = logits(folder.path(), session, ids);
      folder.commit();
      report(merged, expected, got);
      return ExitCode.DONE;
    }
  }

  /** The new model is opened beside the old one. */
  private void requireMemory(Session session, int[] ids) {
    try (PeftFolder peft = PeftFolder.open(adapter.adapter)) {
      MemoryPlan plan = session.memoryPlan(peft);
      Work both = Work.merge(plan.loaded());
      fitting(plan, both, List.of(new Sample("tokens", ids, ids, "")), BatchLimits.DEFAULT, true);
    }
  }

  private int[] tokens(TransformerSpec spec) {
    int count = (int) Math.min(TOKENS, spec.maxPositions());
    return new Random(common.seed).ints(count, 0, (int) spec.vocabulary()).toArray();
  }

  private static double[][] logits(Path folder, Session session, int[] ids) {
    try (HfModelFolder files = HfModelFolder.open(folder);
        LanguageModel model = LanguageModel.open(files, session.backend())) {
      return new AdaptedModel(model, null).logits(ids);
    }
  }

  private void report(MergedFolder merged, double[][] expected, double[][] got) {
    double difference = 0;
    double largest = 0;
    for (int t = 0; t < got.length; t++) {
      for (int i = 0; i < got[t].length; i++) {
        difference = Math.max(difference, Math.abs(got[t][i] - expected[t][i]));
        largest = Math.max(largest, Math.abs(expected[t][i]));
      }
    }
    ObjectNode json =
        StrictJson.newObject()
            .put("folder", out.toString())
            .put("weights", merged.dtype().name())
            .put("logits_compared", (long) got.length * got[0].length)
            .put("largest_difference", difference)
            .put("largest_logit", largest);
    if (output.json) {
      print(json);
    } else {
      print(
          Text.format(
              "%s in %s: logits of %d random tokens differ from model and adapter by at most %.3g; the largest"
                  + " is %.3g",
              out, merged.dtype(), got.length, difference, largest));
    }
  }
}
