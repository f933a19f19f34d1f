package dev.lethe.cli;

import dev.lethe.LetheException;
import dev.lethe.backend.Backend;
import dev.lethe.data.Encoder;
import dev.lethe.data.Sample;
import dev.lethe.format.DatasetReader;
import dev.lethe.format.HfModelFolder;
import dev.lethe.format.PeftFolder;
import dev.lethe.format.Row;
import dev.lethe.influence.DatasetLoss;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.text.HfTokenizer;
import dev.lethe.text.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;

/** What a command works with: backend, model, adapter, tokenizer; closes all of them. */
final class Workbench implements AutoCloseable {
  private final Deque<AutoCloseable> open = new ArrayDeque<>();
  private final Backend backend;
  private final HfModelFolder folder;
  private LanguageModel model;
  private Tokenizer tokenizer;

  private Workbench(LetheCommand command, CommonOptions common, Path modelDir) {
    try {
      folder = keep(HfModelFolder.open(modelDir));
      backend = keep(common.openBackend(command));
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
  }

  /** Opens the model's folder and the device; the weights are loaded by {@link #model}. */
  static Workbench open(LetheCommand command, CommonOptions common, ModelOptions options) {
    return new Workbench(command, common, options.model);
  }

  Backend backend() {
    return backend;
  }

  HfModelFolder folder() {
    return folder;
  }

  /** The model, loaded when first asked for. */
  LanguageModel model() {
    if (model == null) {
      model = keep(LanguageModel.open(folder, backend));
    }
    return model;
  }

  /** The model with the adapter of a folder, or bare where that is null. */
  AdaptedModel adapted(Path adapterDir) {
    if (adapterDir == null) {
      return new AdaptedModel(model(), null);
    }
    PeftFolder peft = keep(PeftFolder.open(adapterDir));
    return adapted(LoraAdapter.open(peft, model()));
  }

  /** The model with an adapter, which is closed with this. */
  AdaptedModel adapted(LoraAdapter adapter) {
    return new AdaptedModel(model(), keep(adapter));
  }

  /** The model's tokenizer; null where it has none. */
  Tokenizer tokenizer() {
    if (tokenizer == null && Files.exists(folder.path().resolve("tokenizer.json"))) {
      tokenizer = keep(HfTokenizer.open(folder.path()));
    }
    return tokenizer;
  }

  /** An encoder for the given rows, which loads the tokenizer only if one of them is text. */
  Encoder encoder(List<Row> rows, DataOptions options) {
    boolean tokensOnly = rows.stream().allMatch(row -> row instanceof Row.TokenRow);
    long context = model().spec().maxPositions();
    long longest = options.maxLength == null ? context : Math.min(context, options.maxLength);
    return new Encoder(
        tokensOnly ? null : tokenizer(),
        options.promptTemplate(),
        longest,
        model().spec().vocabulary());
  }

  /** A data set as samples. */
  List<Sample> samples(Path file, DataOptions options) {
    return samples(file, options, options.fields);
  }

  /** A data set as samples, its fields named in another way. */
  List<Sample> samples(Path file, DataOptions options, Map<String, String> fields) {
    List<Row> rows = DatasetReader.read(file, fields);
    return encoder(rows, options).encode(rows, file.toString());
  }

  /** The losses of samples under a model. */
  DatasetLoss loss(AdaptedModel adapted, List<Sample> samples, DataOptions options) {
    return new DatasetLoss(adapted, samples, options.limits());
  }

  private <T extends AutoCloseable> T keep(T resource) {
    open.push(resource);
    return resource;
  }

  @Override
  public void close() {
    while (!open.isEmpty()) {
      try {
        open.pop().close();
      } catch (LetheException e) {
        throw e;
      } catch (Exception e) {
        throw new IllegalStateException("closing failed", e);
      }
    }
  }
}
