package dev.lethe.session;

import dev.lethe.backend.Backend;
import dev.lethe.format.huggingface.ModelFiles;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.WeightStorage;
import dev.lethe.nn.frozen.FrozenModel;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Consumer;

/** The base model of a session, with the frozen weights that its first adapter may bring. */
final class OpenModel implements AutoCloseable {
  private final Backend backend;
  private ModelFiles files;
  private LanguageModel model;
  private WeightStorage weights = WeightStorage.AUTO;

  OpenModel(ModelFiles files, Backend backend) {
    this.files = files;
    this.backend = backend;
  }

  synchronized ModelFiles files() {
    return files;
  }

  /** In which form the weights lie in memory, from when they are loaded on. */
  synchronized void withWeights(WeightStorage storage) {
    weights = storage;
  }

  /** The form in which they lie, or what was asked for where they are not there yet. */
  synchronized WeightStorage storage() {
    return model != null && model.leavesWeights() ? WeightStorage.BF16 : weights;
  }

  /**
   * The model, loaded when first asked for.
   *
   * @param notes is told where memory decided how
   */
  synchronized LanguageModel get(Consumer<String> notes) {
    if (model == null) {
      model = LanguageModel.open(files, backend, weights);
      if (weights == WeightStorage.AUTO && model.leavesWeights()) {
        notes.accept(
            "weights stay in bfloat16 in their file, because float32 would not fit into memory: same numbers, slower");
      }
    }
    return model;
  }

  /**
   * Takes an adapter's frozen parts into the model, unless that is loaded already.
   *
   * @return a sentence about them where there are some
   */
  synchronized Optional<String> freezePartsOf(Path adapterDir) {
    if (model != null || !files.carried().isEmpty()) {
      return Optional.empty();
    }
    files = FrozenModel.of(files, adapterDir, backend.vectorType());
    return files.carried().isEmpty()
        ? Optional.empty()
        : Optional.of(
            adapterDir
                + ": its own weights of "
                + FrozenModel.modules(files.carried())
                + " are used and stay frozen; training and unlearning change the pairs of decoder layers alone, and"
                + " new adapters carry the frozen weights on");
  }

  @Override
  public synchronized void close() {
    if (model != null) {
      model.close();
    }
    files.close();
  }
}
