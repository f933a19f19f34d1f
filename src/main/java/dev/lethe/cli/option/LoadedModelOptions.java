package dev.lethe.cli.option;

import dev.lethe.nn.WeightStorage;
import picocli.CommandLine.Option;

/** Which model, and how it lies in memory. */
public final class LoadedModelOptions extends ModelOptions {
  @Option(
      names = "--weights",
      paramLabel = "W",
      defaultValue = "auto",
      description =
          "how the model's matrices lie in memory: f32, or bf16 for those of a bfloat16 file, which gives the same"
              + " numbers in half the memory and more time (default: auto, f32 where that fits and the work is worth"
              + " converting them)")
  private String weights;

  private boolean fewPasses;

  /** The same where the work passes over the weights a few times only, if nothing else is asked for. */
  public LoadedModelOptions forFewPasses(boolean few) {
    fewPasses = few;
    return this;
  }

  @Override
  public WeightStorage storage(LetheCommand command) {
    WeightStorage asked =
        WeightStorage.ASKED.stream()
            .filter(storage -> storage.label().equals(weights))
            .findFirst()
            .orElseThrow(() -> command.usage("--weights is one of auto, f32, bf16; got " + weights));
    return fewPasses && asked == WeightStorage.AUTO ? WeightStorage.FEW_PASSES : asked;
  }
}
