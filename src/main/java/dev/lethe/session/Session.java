package dev.lethe.session;

import dev.lethe.LetheException;
import dev.lethe.Lifetime;
import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.data.ChatTemplate;
import dev.lethe.data.DatasetReader;
import dev.lethe.data.Encoder;
import dev.lethe.data.LoadedRows;
import dev.lethe.data.PromptForm;
import dev.lethe.data.PromptTemplate;
import dev.lethe.data.Row;
import dev.lethe.data.Sample;
import dev.lethe.data.work.RowWorkers;
import dev.lethe.format.FormatException;
import dev.lethe.format.file.MappedFile;
import dev.lethe.format.gguf.BaseModels;
import dev.lethe.format.huggingface.ModelFiles;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.format.peft.PeftFolder;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.WeightStorage;
import dev.lethe.nn.family.ModelFamily;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.session.machine.MemoryPlan;
import dev.lethe.tokenizer.Tokenizer;
import dev.lethe.train.TrainingRecord;
import dev.lethe.unlearn.certificate.Certificate;
import dev.lethe.unlearn.request.UnlearnRequest;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;

/**
 * What work on one base model needs: backend, weights, adapters, tokenizer. Closes all of them. Several threads may
 * share a session and its models: their calls take turns on the backend. An adapter that one thread changes, by training
 * or unlearning in place, gives the others a mixture while that lasts.
 *
 * <p>Long because all that a program asks of an open model stands here, a few lines each.
 */
public final class Session implements AutoCloseable {
  private final Lifetime lifetime;
  private final Deque<AutoCloseable> open = new ArrayDeque<>();
  private final Backend backend;
  private final ModelFiles folder;
  private final OpenModel model;
  private final KeptStates states;
  private final FurtherDevices further;
  private final OpenTokenizer tokenizer;
  private Sharing sharing;
  private Consumer<String> notes = note -> {};
  private boolean skipBadRows;

  private Session(ModelFiles folder, Backend backend, List<Backend> others) {
    this.lifetime = new Lifetime("session on " + folder.path());
    this.folder = folder;
    this.backend = backend;
    this.model = new OpenModel(folder, backend);
    this.tokenizer = new OpenTokenizer(folder);
    this.states = new KeptStates(1 + others.size());
    this.further = new FurtherDevices(folder.path(), others);
    this.sharing = others.isEmpty() ? null : further;
    open.push(backend);
    open.push(further);
    open.push(model);
    open.push(states);
    open.push(tokenizer);
  }

  /**
   * Opens a model's files; its weights are loaded when first needed.
   *
   * @param modelDir a Hugging Face folder or a GGUF file
   * @param backend closed with this session
   */
  public static Session open(Path modelDir, Backend backend) {
    return open(modelDir, List.of(backend));
  }

  /**
   * The same on several devices: those of them that are not the first have copies of the model and share the work over
   * rows of adapters from folders. The bytes are those of the first alone.
   *
   * @param devices as {@link Backends#selectAll} gives them; closed with this session
   */
  public static Session open(Path modelDir, List<Backend> devices) {
    try {
      return new Session(
          BaseModels.open(modelDir), devices.getFirst(), List.copyOf(devices.subList(1, devices.size())));
    } catch (RuntimeException | Error e) {
      devices.forEach(Backend::close);
      throw e;
    }
  }

  /**
   * Opens a model's folder on a device by name, {@code auto} for the best that works here, {@code cuda:all} for all
   * GPUs.
   */
  public static Session open(Path modelDir, String device) {
    return open(modelDir, Backends.selectAll(device, BackendOptions.DEFAULT));
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
    lifetime.requireOpen();
    ChatTemplate chat = reader(reading).chatTemplate();
    return reading.words() + (chat == null ? "" : ", conversations by " + chat.description());
  }

  /** Refuses rows that were read otherwise than in an adapter's training, as far as its record tells. */
  public void requireFormOf(Path adapterDir, List<Sample> rows, Reading reading) {
    lifetime.requireOpen();
    TrainingRecord.read(adapterDir)
        .ifPresent(
            record ->
                record.requireForm(
                    rows, promptForm(reading), adapterDir.resolve(TrainingRecord.FILE).toString()));
  }

  /**
   * Who is told what the data files say that is not used, and how rows are read where that is not plain; nobody by
   * default.
   */
  public Session tell(Consumer<String> reader) {
    lifetime.requireOpen();
    notes = reader;
    return this;
  }

  /** Whether rows that cannot be used are left out of data sets; otherwise a data set with one is refused. */
  public Session skipBadRows(boolean value) {
    lifetime.requireOpen();
    skipBadRows = value;
    return this;
  }

  /** In which form the model's weights lie in memory, from when it is loaded on. */
  public Session withWeights(WeightStorage storage) {
    model.withWeights(storage);
    further.withWeights(storage);
    return this;
  }

  /**
   * Keeps hidden states of the adapters that are opened from now on in a folder; null: in memory, the default. Further
   * devices keep theirs in memory.
   */
  public Session withHiddenStates(Path folder) {
    lifetime.requireOpen();
    states.in(folder);
    further.keepStates(true);
    return this;
  }

  /** Keeps no hidden states of the adapters that are opened from now on. */
  public Session withoutHiddenStates() {
    lifetime.requireOpen();
    states.none();
    further.keepStates(false);
    return this;
  }

  /** One line for people about the hidden states that are kept; null where none are. */
  public String hiddenStates() {
    lifetime.requireOpen();
    return states.report();
  }

  public Backend backend() {
    lifetime.requireOpen();
    return backend;
  }

  /** The model's files, with the frozen weights of the adapter that was opened first, if it has such. */
  public ModelFiles folder() {
    lifetime.requireOpen();
    return model.files();
  }

  /** The model's shape; loads nothing. */
  public TransformerSpec spec() {
    return ModelFamily.spec(folder().config(), folder().path().toString());
  }

  /** The model, loaded when first asked for. */
  public LanguageModel model() {
    lifetime.requireOpen();
    tokenizer.readAhead();
    return model.get(notes);
  }

  /**
   * How much memory work on the model takes with the adapter of a folder and the frozen parts that it brings; null:
   * bare.
   */
  public MemoryPlan memoryPlan(PeftFolder adapter) {
    if (adapter != null) {
      model.freezePartsOf(adapter.path());
    }
    return memoryPlan(adapter == null ? null : adapter.config());
  }

  /** How much memory work on the model takes with an adapter of a configuration; null: bare. */
  public MemoryPlan memoryPlan(PeftAdapterConfig adapter) {
    return new MemoryPlan(model.files(), backend, model.storage(), adapter);
  }

  /** The model with the adapter of a PEFT folder, or bare where that is null. */
  public AdaptedModel adapted(Path adapterDir) {
    lifetime.requireOpen();
    if (adapterDir == null) {
      return new AdaptedModel(model(), null);
    }
    model.freezePartsOf(adapterDir).ifPresent(notes);
    try (PeftFolder peft = PeftFolder.open(adapterDir)) {
      AdaptedModel adapted = adapted(LoraAdapter.open(peft, model()));
      share(adapted, adapterDir);
      return adapted;
    }
  }

  private synchronized void share(AdaptedModel adapted, Path adapterDir) {
    RowWorkers<AdaptedModel> workers =
        sharing == null ? null : sharing.workers(folder().path(), adapterDir, adapted);
    if (workers != null) {
      open.push(workers);
      adapted.shareWith(workers);
    }
  }

  /** Shares the work over rows of the adapters that are opened from now on with others than this session's devices. */
  public Session share(Sharing others) {
    sharing = others;
    return this;
  }

  /** The model with an adapter, which this session takes over. */
  public synchronized AdaptedModel adapted(LoraAdapter adapter) {
    lifetime.requireOpen();
    open.push(adapter);
    AdaptedModel adapted = new AdaptedModel(model(), adapter);
    states.of(adapted);
    return adapted;
  }

  /** Takes the tokenizer of another folder; null: the model's own, the default. */
  public Session withTokenizer(Path folder) {
    lifetime.requireOpen();
    tokenizer.in(folder);
    return this;
  }

  /** The model's tokenizer; null where it has none. */
  public Tokenizer tokenizer() {
    lifetime.requireOpen();
    return tokenizer.get(notes);
  }

  /** The tokenizer's files by name where a GGUF file holds them; none otherwise. */
  public Map<String, String> ownTokenizer() {
    lifetime.requireOpen();
    return tokenizer.own();
  }

  /** An encoder for the given rows, which loads the tokenizer only if one of them is text. */
  public Encoder encoder(List<Row> rows, Reading reading) {
    lifetime.requireOpen();
    return reader(reading).encoder(rows);
  }

  /** A data set as samples. */
  public List<Sample> samples(Path file) {
    lifetime.requireOpen();
    return samples(file, Reading.DEFAULT);
  }

  /** A data set as samples. */
  public List<Sample> samples(Path file, Reading reading) {
    lifetime.requireOpen();
    return load(file, reading).samples();
  }

  /** A data set as samples, with what is known of its rows. */
  public LoadedRows load(Path file, Reading reading) {
    lifetime.requireOpen();
    return reader(reading).load(file, false);
  }

  /** A data set whose rows must have ids, each that of the row that it replaces. */
  public List<Sample> replacements(Path file, Reading reading) {
    lifetime.requireOpen();
    return reader(reading).load(file, true).samples();
  }

  /** A data set's rows, for those who encode them themselves. */
  public List<Row> rows(Path file, Reading reading) {
    lifetime.requireOpen();
    return reader(reading).rows(file);
  }

  /** The rows of a data set that was read before, so that nobody is told again. */
  public List<Row> rowsAgain(Path file, Reading reading) {
    return reader(reading).dataset(file, false).rows();
  }

  private RowReader reader(Reading reading) {
    return new RowReader(folder, reading, this::tokenizer, notes, skipBadRows);
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
    lifetime.requireOpen();
    return new Unlearning(this, adapterDir, request).write(out);
  }

  /**
   * Closes one adapter before the session ends; closing it twice is harmless. Hidden states that were kept stay until
   * the session's end.
   *
   * @param adapted a model with an adapter that this session gave
   */
  public synchronized void close(AdaptedModel adapted) {
    if (adapted.adapter() != null) {
      open.remove(adapted.adapter());
      adapted.adapter().close();
    }
  }

  /**
   * Closes everything.
   *
   * @throws FormatException where a file was changed while it was in use, so that what was computed may be wrong
   */
  @Override
  public synchronized void close() {
    try {
      MappedFile.requireUnchanged();
    } finally {
      closeAll();
    }
  }

  private void closeAll() {
    lifetime.end();
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
