package dev.lethe.nn;

import dev.lethe.LetheException;
import dev.lethe.autograd.Gradients;
import dev.lethe.autograd.Tape;
import dev.lethe.autograd.op.Value;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.data.Sample;
import dev.lethe.data.work.RowWorkers;
import dev.lethe.nn.family.Projection;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * A model with an adapter on it, or bare: what is trained, differentiated and run. It records
 * tapes; the parameters θ come in only when a tape is run. Several threads may use it, each with batches, tapes and
 * results of its own; see {@link Backend}.
 */
public final class AdaptedModel {
  private final LanguageModel model;
  private final LoraAdapter adapter;
  private final ParameterLayout layout;
  private final List<Map<Projection, LoraLinear>> linears = new ArrayList<>();
  private HiddenStates states;
  private RowWorkers<AdaptedModel> workers;

  /**
   * @param adapter null for the bare model
   */
  public AdaptedModel(LanguageModel model, LoraAdapter adapter) {
    this.model = model;
    this.adapter = adapter;
    if (adapter != null) {
      adapter.requireFits(model.spec());
    }
    this.layout = adapter == null ? ParameterLayout.empty(model.spec()) : adapter.layout();
    for (int layer = 0; layer < model.spec().layers(); layer++) {
      Map<Projection, LoraLinear> row = new EnumMap<>(Projection.class);
      for (Projection p : model.spec().projections()) {
        row.put(p, new LoraLinear(model.layer(layer).linears().get(p), layout.slot(layer, p)));
      }
      linears.add(row);
    }
  }

  /** The forward pass of a batch without dropout: the one that is differentiated. */
  public Tape tape(Batch batch) {
    requireFits(batch);
    return new ForwardRecorder(this, states(), batch, 0, 0).record();
  }

  /**
   * The forward pass of a batch with the adapter's dropout. A mask is a function of the seed, the module,
   * the sample's id, the token's position and the feature, and of nothing else that is in the batch.
   *
   * @param dropoutSeed of this step of training
   */
  public Tape trainingTape(Batch batch, long dropoutSeed) {
    requireFits(batch);
    double dropout = adapter == null ? 0 : adapter.dropout();
    return new ForwardRecorder(this, states(), batch, dropout, dropoutSeed).record();
  }

  public LanguageModel model() {
    return model;
  }

  /** The adapter; null for a bare model. */
  public LoraAdapter adapter() {
    return adapter;
  }

  /** Where adapter matrices lie in θ; empty for a bare model. */
  public ParameterLayout layout() {
    return layout;
  }

  public Backend backend() {
    return model.backend();
  }

  /** Logits at every position, T rows of V, with the adapter's present parameters. For checks. */
  public double[][] logits(int[] ids) {
    try (Scope scope = backend().openScope("logits");
        KeyValueCache cache = new KeyValueCache(model, ids.length)) {
      DecoderPass pass = new DecoderPass(this);
      Tensor hidden = pass.hidden(ids, cache, scope);
      double[][] logits = new double[ids.length][];
      for (int t = 0; t < ids.length; t++) {
        logits[t] = pass.logits(hidden.slice(t, 1));
      }
      return logits;
    }
  }

  /** The layers that have an adapter, in the order of θ. */
  public List<LoraLinear> adapted() {
    return linears.stream()
        .flatMap(row -> row.values().stream())
        .filter(LoraLinear::hasAdapter)
        .sorted(Comparator.comparingLong(layer -> layer.slot().aOffset()))
        .toList();
  }

  /** The lowest layer with an adapter; −1 where there is none. */
  public int lowestAdaptedLayer() {
    for (int layer = 0; layer < linears.size(); layer++) {
      if (linears.get(layer).values().stream().anyMatch(LoraLinear::hasAdapter)) {
        return layer;
      }
    }
    return -1;
  }

  /** The same model with another adapter, on the same kept hidden states where it has the same lowest layer. */
  public AdaptedModel with(LoraAdapter other) {
    AdaptedModel result = new AdaptedModel(model, other);
    if (states() != null && result.lowestAdaptedLayer() == states.layer()) {
      result.startAt(states);
    }
    if (adapter != null && other != null && adapter.layout().equals(other.layout())) {
      result.shareWith(workers);
    }
    return result;
  }

  /** The same model with the same adapter, which does all work itself. */
  public AdaptedModel alone() {
    AdaptedModel result = with(adapter);
    result.shareWith(null);
    return result;
  }

  /** Shares out work over rows to other copies of this model from now on; null: to none. */
  public void shareWith(RowWorkers<AdaptedModel> others) {
    workers = others;
  }

  /** Who shares the work over rows; null where nobody does. */
  public RowWorkers<AdaptedModel> workers() {
    return workers;
  }

  /** Makes tapes start from these states; null: at the embedding. */
  void startAt(HiddenStates kept) {
    this.states = kept;
  }

  private HiddenStates states() {
    return states == null || states.isOpen() ? states : null;
  }

  /**
   * What enters a layer with nothing adapted below it.
   *
   * @param host (N,D) out
   */
  void lowerStates(Batch batch, int layer, Tensor host) {
    requireFits(batch);
    ForwardRecorder lower = new ForwardRecorder(this, states(), batch, 0, 0);
    Gradients.value(backend(), lower.tape(), null, lower.statesOf(layer), host);
  }

  /**
   * The forward pass of a batch up to what leaves its first layers, without dropout, for losses of hidden states.
   *
   * @param layers how many; more than {@link #lowestAdaptedLayer}
   */
  public HiddenTape hiddenTape(Batch batch, int layers) {
    requireFits(batch);
    return new ForwardRecorder(this, states(), batch, 0, 0).recordHidden(layers);
  }

  /**
   * A tape without a loss.
   *
   * @param states (N,D): its last value
   */
  public record HiddenTape(Tape tape, Value states) {}

  /** A linear layer and the adapter on it. */
  LoraLinear linear(int layer, Projection projection) {
    return linears.get(layer).get(projection);
  }

  /** θ of the adapter; null for a bare model. */
  Tensor theta() {
    return adapter == null ? null : adapter.theta();
  }

  private void requireFits(Batch batch) {
    TransformerSpec spec = model.spec();
    for (Sample sample : batch.samples()) {
      String where = "sample '" + sample.id() + "'";
      if (sample.length() > spec.maxPositions()) {
        throw tooLong(spec, where, sample.length());
      }
      requireTokens(spec, where, sample.inputIds());
      int[] labels =
          Arrays.stream(sample.labels()).filter(label -> label != Sample.IGNORED).toArray();
      requireTokens(spec, where + ", labels", labels);
    }
  }

  /** Throws where a token id is not in the vocabulary. */
  static void requireTokens(TransformerSpec spec, String where, int[] ids) {
    for (int id : ids) {
      if (id < 0 || id >= spec.vocabulary()) {
        throw new LetheException(
            where,
            "a token id is not in the model's vocabulary",
            "0 to " + (spec.vocabulary() - 1),
            String.valueOf(id),
            "Use the tokenizer that belongs to this model.");
      }
    }
  }

  static LetheException tooLong(TransformerSpec spec, String where, long length) {
    return new LetheException(
        where,
        "does not fit the model's context",
        "at most " + spec.maxPositions() + " tokens",
        length + " tokens",
        "Shorten it; nothing is truncated silently.");
  }
}
