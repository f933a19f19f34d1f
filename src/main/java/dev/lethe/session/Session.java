package dev.lethe.session;

import dev.lethe.LetheException;
import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.data.ChatTemplate;
import dev.lethe.data.Dataset;
import dev.lethe.data.DatasetReader;
import dev.lethe.data.Encoder;
import dev.lethe.data.LoadedRows;
import dev.lethe.data.PromptForm;
import dev.lethe.data.PromptTemplate;
import dev.lethe.data.Row;
import dev.lethe.data.Sample;
import dev.lethe.format.FormatException;
import dev.lethe.format.gguf.BaseModels;
import dev.lethe.format.gguf.GgufModel;
import dev.lethe.format.gguf.GgufTokenizer;
import dev.lethe.format.huggingface.ModelFiles;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.HiddenStates;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.ModelFamily;
import dev.lethe.nn.TransformerSpec;
import dev.lethe.nn.WeightStorage;
import dev.lethe.tokenizer.HfTokenizer;
import dev.lethe.tokenizer.Tokenizer;
import dev.lethe.train.TrainingRecord;
import dev.lethe.unlearn.certificate.Certificate;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import java.util.function.Consumer;

/**
 * What work on one base model needs: backend, weights, adapters, tokenizer. Closes all of them. Several threads may
 * share a session and its models: their calls take turns on the backend. An adapter that one thread changes, by training
 * or unlearning in place, gives the others a mixture while that lasts.
 */
public final class Session implements AutoCloseable {
  private static final String TOKENIZER = "tokenizer.json";

  /** Reads the tokenizer while the weights are read. */
  private static final Executor BESIDE = task -> Thread.ofPlatform().daemon().name("tokenizer").start(task);

  private final Deque<AutoCloseable> open = new ArrayDeque<>();
  private final Backend backend;
  private final ModelFiles folder;
  private LanguageModel model;
  private Tokenizer tokenizer;
  private CompletableFuture<Tokenizer> tokenizerAhead;
  private Path tokenizerFolder;
  private boolean keepsStates = true;
  private Path statesFolder;
  private HiddenStates states;
  private Consumer<String> notes = note -> {};
  private boolean skipBadRows;
  private WeightStorage weights = WeightStorage.AUTO;

  private Session(ModelFiles folder, Backend backend) {
    this.folder = folder;
    this.backend = backend;
    open.push(backend);
    open.push(folder);
  }

  /**
   * Opens a model's files; its weights are loaded when first needed.
   *
   * @param modelDir a Hugging Face folder or a GGUF file
   * @param backend closed with this session
   */
  public static Session open(Path modelDir, Backend backend) {
    try {
      return new Session(BaseModels.open(modelDir), backend);
    } catch (RuntimeException | Error e) {
      backend.close();
      throw e;
    }
  }

  /** Opens a model's folder on a device by name, {@code auto} for the best that works here. */
  public static Session open(Path modelDir, String device) {
    return open(modelDir, Backends.select(device, BackendOptions.DEFAULT));
  }

  /**
   * How rows become samples.
   *
   * @param template null for the format that fits each row's form: the model's chat template for conversations where
   *     its folder has one
   * @param byModel whether all rows of text are rendered by the model's chat template; {@code template} is null then
   * @param supervise which of the model's turns in a conversation are learned
   * @param maxLength the most tokens of a row; 0 for the model's context
   * @param fields names of fields in the file, see {@link DatasetReader#read(Path, Map)}
   * @param day what chat templates that ask for the date are told; null for today
   */
  public record Reading(
      PromptTemplate template,
      boolean byModel,
      PromptForm.Supervise supervise,
      long maxLength,
      Map<String, String> fields,
      LocalDate day) {
    /** Each row in the format that fits it. */
    public static final Reading DEFAULT = new Reading(null, 0, Map.of());

    /** A fixed format, or what fits each row where that is null. */
    public Reading(PromptTemplate template, long maxLength, Map<String, String> fields) {
      this(template, false, PromptForm.Supervise.ALL, maxLength, fields, null);
    }

    /** The same of a file whose fields have other names. */
    public Reading withFields(Map<String, String> others) {
      return new Reading(template, byModel, supervise, maxLength, others, day);
    }

    /** In words, how rows become tokens, but for the model's chat template. */
    private String words() {
      String form = byModel ? "model" : template == null ? "automatic" : template.label();
      return form
          + (fields.isEmpty() ? "" : " with " + new TreeMap<>(fields))
          + (supervise == PromptForm.Supervise.LAST ? ", last turn supervised" : "")
          + (maxLength == 0 ? "" : Text.format(", at most %d tokens", maxLength));
    }
  }

  /** In words, how rows become tokens: format, fields, turns, length, and the model's chat template with its hash. */
  public String promptForm(Reading reading) {
    ChatTemplate chat = chatTemplate(reading);
    return reading.words() + (chat == null ? "" : ", conversations by " + chat.description());
  }

  /** Refuses rows that were read otherwise than in an adapter's training, as far as its record tells. */
  public void requireFormOf(Path adapterDir, List<Sample> rows, Reading reading) {
    TrainingRecord.read(adapterDir)
        .ifPresent(
            record ->
                record.requireForm(
                    rows, promptForm(reading), adapterDir.resolve(TrainingRecord.FILE).toString()));
  }

  /** The model's chat template where the reading may use it; null where it does not or the folder has none. */
  private ChatTemplate chatTemplate(Reading reading) {
    if (reading.template != null) {
      return null;
    }
    LocalDateTime now =
        reading.day == null ? LocalDateTime.now() : reading.day.atStartOfDay();
    return ChatTemplate.of(folder.path(), reading.supervise, now);
  }

  private PromptForm form(List<Row> rows, Reading reading) {
    ChatTemplate chat = chatTemplate(reading);
    if (reading.byModel && chat == null) {
      throw new FormatException(
          FormatException.Kind.FILE_MISSING,
          folder.path().toString(),
          "the model's folder has no chat template",
          "chat_template.jinja, or chat_template in tokenizer_config.json",
          "neither",
          "Use another --template");
    }
    PromptForm fixed = PromptForm.fixed(reading.template, reading.supervise);
    if (chat == null) {
      return fixed;
    }
    PromptForm byChat = chat.naming(tokenizer() == null ? Map.of() : tokenizer().named());
    if (reading.byModel || rows.stream().anyMatch(row -> row instanceof Row.MessagesRow)) {
      notes.accept("rows are rendered by " + chat.description());
    }
    return reading.byModel
        ? byChat
        : (row, where) -> (row instanceof Row.MessagesRow ? byChat : fixed).render(row, where);
  }

  /** Who is told what the data files say that is not used, and how rows are read where that is not plain; nobody by default. */
  public Session tell(Consumer<String> reader) {
    notes = reader;
    return this;
  }

  /** Whether rows that cannot be used are left out of data sets; otherwise a data set with one is refused. */
  public Session skipBadRows(boolean value) {
    skipBadRows = value;
    return this;
  }

  /** In which form the model's weights lie in memory, from when it is loaded on. */
  public Session withWeights(WeightStorage storage) {
    weights = storage;
    return this;
  }

  /** Keeps hidden states of the adapters that are opened from now on in a folder; null: in memory, the default. */
  public Session withHiddenStates(Path folder) {
    keepsStates = true;
    statesFolder = folder;
    return this;
  }

  /** Keeps no hidden states of the adapters that are opened from now on. */
  public Session withoutHiddenStates() {
    keepsStates = false;
    return this;
  }

  /** One line for people about the hidden states that are kept; null where none are. */
  public String hiddenStates() {
    return states == null ? null : states.report();
  }

  public Backend backend() {
    return backend;
  }

  public ModelFiles folder() {
    return folder;
  }

  /** The model, loaded when first asked for. */
  public synchronized LanguageModel model() {
    if (model == null) {
      if (tokenizer == null) {
        tokenizerAhead = CompletableFuture.supplyAsync(this::openTokenizer, BESIDE);
      }
      model = LanguageModel.open(folder, backend, weights);
      open.push(model);
      if (weights == WeightStorage.AUTO && model.leavesWeights()) {
        notes.accept(
            "weights stay in bfloat16 in their file, because float32 would not fit into memory: same numbers, slower");
      }
    }
    return model;
  }

  /** How much memory work on the model takes with an adapter of a configuration; null: bare. */
  public MemoryPlan memoryPlan(PeftAdapterConfig adapter) {
    WeightStorage now =
        model == null ? weights : model.leavesWeights() ? WeightStorage.BF16 : weights;
    return new MemoryPlan(folder, backend, now, adapter);
  }

  /** The model with the adapter of a PEFT folder, or bare where that is null. */
  public AdaptedModel adapted(Path adapterDir) {
    if (adapterDir == null) {
      return new AdaptedModel(model(), null);
    }
    try (PeftFolder peft = PeftFolder.open(adapterDir)) {
      return adapted(LoraAdapter.open(peft, model()));
    }
  }

  /** The model with an adapter, which this session takes over. */
  public synchronized AdaptedModel adapted(LoraAdapter adapter) {
    open.push(adapter);
    AdaptedModel adapted = new AdaptedModel(model(), adapter);
    if (keepsStates && states == null) {
      states = HiddenStates.keep(adapted, statesFolder, statesBudget());
      if (states != null) {
        open.push(states);
      }
    }
    return adapted;
  }

  private long statesBudget() {
    if (statesFolder == null) {
      return Machine.current().availableMemory() / 8;
    }
    try {
      return Files.createDirectories(statesFolder).toFile().getUsableSpace() / 4;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Takes the tokenizer of another folder; null: the model's own, the default. */
  public Session withTokenizer(Path folder) {
    tokenizerFolder = folder;
    return this;
  }

  /** The model's tokenizer; null where it has none. */
  public synchronized Tokenizer tokenizer() {
    if (tokenizer == null) {
      tokenizer = tokenizerAhead == null ? openTokenizer() : awaited(tokenizerAhead);
      if (tokenizer != null) {
        open.push(tokenizer);
        tokenizer.notes().forEach(notes);
      }
    }
    return tokenizer;
  }

  private static Tokenizer awaited(CompletableFuture<Tokenizer> tokenizer) {
    try {
      return tokenizer.join();
    } catch (CompletionException e) {
      switch (e.getCause()) {
        case RuntimeException cause -> throw cause;
        case Error cause -> throw cause;
        default -> throw e;
      }
    }
  }

  private Tokenizer openTokenizer() {
    if (tokenizerFolder != null) {
      return HfTokenizer.open(tokenizerFolder);
    }
    if (folder instanceof GgufModel gguf) {
      if (!gguf.hasTokenizer()) {
        return null;
      }
      GgufTokenizer own = gguf.tokenizer();
      return HfTokenizer.of(gguf.path(), own.json(), own.bosId(), own.eosId(), own.vocabSize());
    }
    return Files.exists(folder.path().resolve(TOKENIZER)) ? HfTokenizer.open(folder.path()) : null;
  }

  /** An encoder for the given rows, which loads the tokenizer only if one of them is text. */
  public Encoder encoder(List<Row> rows, Reading reading) {
    boolean tokensOnly = rows.stream().allMatch(row -> row instanceof Row.TokenRow);
    TransformerSpec spec = ModelFamily.spec(folder.config(), folder.path().toString());
    long context = spec.maxPositions();
    long longest = reading.maxLength == 0 ? context : Math.min(context, reading.maxLength);
    return tokensOnly
        ? new Encoder(null, reading.template, longest, spec.vocabulary())
        : Encoder.of(tokenizer(), form(rows, reading), longest, spec.vocabulary());
  }

  /** A data set as samples. */
  public List<Sample> samples(Path file) {
    return samples(file, Reading.DEFAULT);
  }

  /** A data set as samples. */
  public List<Sample> samples(Path file, Reading reading) {
    return load(file, reading).samples();
  }

  /** A data set as samples, with what is known of its rows. */
  public LoadedRows load(Path file, Reading reading) {
    return encoded(dataset(file, reading, false), reading);
  }

  /** A data set whose rows must have ids, each that of the row that it replaces. */
  public List<Sample> replacements(Path file, Reading reading) {
    return encoded(dataset(file, reading, true), reading).samples();
  }

  /** A data set's rows, for those who encode them themselves. */
  public List<Row> rows(Path file, Reading reading) {
    Dataset data = dataset(file, reading, false);
    data.notes().forEach(notes);
    return data.rows();
  }

  private Dataset dataset(Path file, Reading reading, boolean idsRequired) {
    return DatasetReader.open(file, reading.fields, idsRequired, skipBadRows);
  }

  private LoadedRows encoded(Dataset data, Reading reading) {
    Encoder encoder = encoder(data.rows(), reading);
    LoadedRows loaded = data.encode(encoder, skipBadRows);
    loaded.notes().forEach(notes);
    encoder.notes().forEach(notes);
    return loaded;
  }

  /**
   * Does what {@code lethe unlearn} does without further options: {@link Unlearning} chooses the method by what the
   * adapter's training left, and writes the new adapter with its step and its certificate.
   *
   * @param adapterDir the folder of the adapter that should forget
   * @param request of rows that {@link #samples(Path)} read
   * @param out the folder of the new adapter, which must not exist
   * @return the certificate
   */
  public Certificate unlearn(Path adapterDir, UnlearnRequest request, Path out) {
    return new Unlearning(this, adapterDir, request).write(out);
  }

  @Override
  public synchronized void close() {
    if (tokenizerAhead != null && tokenizer == null) {
      tokenizerAhead.thenAccept(
          unused -> {
            if (unused != null) {
              unused.close();
            }
          });
    }
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
