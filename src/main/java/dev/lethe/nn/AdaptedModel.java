package dev.lethe.nn;

import dev.lethe.LetheException;
import dev.lethe.autograd.Gradients;
import dev.lethe.autograd.Tape;
import dev.lethe.autograd.op.Attention;
import dev.lethe.autograd.op.Dropout;
import dev.lethe.autograd.op.Embedding;
import dev.lethe.autograd.op.GatedUnit;
import dev.lethe.autograd.op.Input;
import dev.lethe.autograd.op.LayerNorm;
import dev.lethe.autograd.op.Linear;
import dev.lethe.autograd.op.ResidualNorm;
import dev.lethe.autograd.op.RmsNorm;
import dev.lethe.autograd.op.Rope;
import dev.lethe.autograd.op.ScaledSum;
import dev.lethe.autograd.op.SelectRows;
import dev.lethe.autograd.op.Split;
import dev.lethe.autograd.op.Value;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.backend.kernel.RopeTable;
import dev.lethe.data.Sample;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.SplitMix64;
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
    return new Recorder(batch, 0, 0).record();
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
    return new Recorder(batch, dropout, dropoutSeed).record();
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
    if (states != null && result.lowestAdaptedLayer() == states.layer()) {
      result.startAt(states);
    }
    return result;
  }

  /** Makes tapes start from these states; null: at the embedding. */
  void startAt(HiddenStates kept) {
    this.states = kept;
  }

  /**
   * What enters a layer with nothing adapted below it.
   *
   * @param host (N,D) out
   */
  void lowerStates(Batch batch, int layer, Tensor host) {
    requireFits(batch);
    Recorder lower = new Recorder(batch, 0, 0);
    Gradients.value(backend(), lower.tape, null, lower.statesOf(layer), host);
  }

  /**
   * The forward pass of a batch up to what leaves its first layers, without dropout, for losses of hidden states.
   *
   * @param layers how many; more than {@link #lowestAdaptedLayer}
   */
  public HiddenTape hiddenTape(Batch batch, int layers) {
    requireFits(batch);
    return new Recorder(batch, 0, 0).recordHidden(layers);
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

  /** Records one tape. */
  private final class Recorder {
    private final TransformerSpec spec = model.spec();
    private final Batch batch;
    private final double dropout;
    private final long dropoutSeed;
    private final Tape tape;
    private Value sum;
    private Value added;

    Recorder(Batch batch, double dropout, long dropoutSeed) {
      this.batch = batch;
      this.dropout = dropout;
      this.dropoutSeed = dropoutSeed;
      this.tape = new Tape(batch.packing());
    }

    Tape record() {
      layersFromBelow(spec.layers());
      Value last = before(model.finalNorm());
      Value supervised = SelectRows.on(tape, batch.rows(), last); // (M,D)
      tape.crossEntropy(
          model.head(), supervised, batch.targets(), batch.weights(), batch.supervised());
      return tape;
    }

    /** Ends the tape with what enters a layer, (N,D). */
    Value statesOf(int layer) {
      embed();
      layers(0, layer);
      before(model.layer(layer).norm(Norm.BEFORE_ATTENTION));
      tape.end();
      return sum;
    }

    HiddenTape recordHidden(int count) {
      layersFromBelow(count);
      Value last = ScaledSum.on(tape, 1, sum, added);
      tape.end();
      return new HiddenTape(tape, last);
    }

    private void layersFromBelow(int end) {
      if (states == null) {
        embed();
      } else {
        sum = Input.on(tape, batch.states(states));
      }
      layers(states == null ? 0 : states.layer(), end);
    }

    private void embed() {
      Value rows = Embedding.on(tape, model.embedding(), batch.ids()); // (N,D)
      double scale = spec.embeddingScale();
      sum = scale == 1 ? rows : ScaledSum.on(tape, scale, rows, null);
      if (model.positions() != null) {
        added = Embedding.on(tape, model.positions(), batch.positions());
      }
    }

    /** Records layers {@code first … end-1}; what enters one is sum + added. */
    private void layers(int first, int end) {
      for (int layer = first; layer < end; layer++) {
        LanguageModel.Layer weights = model.layer(layer);
        Value in = before(weights.norm(Norm.BEFORE_ATTENTION));
        added = normed(weights.norm(Norm.AFTER_ATTENTION), attention(layer, in));
        Value middle = before(weights.norm(Norm.BEFORE_MLP));
        added = normed(weights.norm(Norm.AFTER_MLP), gatedUnit(layer, middle));
      }
    }

    /** Takes what was added into the sum, and gives the sum's norm; the sum itself without weights. */
    private Value before(LanguageModel.NormWeights weights) {
      if (!spec.normsInputs() && added != null) {
        sum = ScaledSum.on(tape, 1, sum, added);
        added = null;
      }
      if (weights == null) {
        return sum;
      }
      ResidualNorm norm = norm(weights, sum, added);
      sum = norm.s();
      added = null;
      return norm.y();
    }

    private ResidualNorm norm(LanguageModel.NormWeights weights, Value x, Value f) {
      return weights.bias() == null
          ? RmsNorm.on(tape, weights.weight(), spec.normEpsilon(), x, f)
          : LayerNorm.on(tape, weights.weight(), weights.bias(), spec.normEpsilon(), x, f);
    }

    /** The norm of each of a row's parts of the weight's width; x itself without a weight. */
    private Value normed(LanguageModel.NormWeights weights, Value x) {
      return weights == null ? x : norm(weights, x, null).y();
    }

    private Value attention(int layer, Value x) {
      LanguageModel.Layer weights = model.layer(layer);
      RopeTable rope = model.rope(layer, batch.packing().longest());
      List<Value> qkv = queryKeyValue(layer, x);
      Value q = turned(rope, normed(weights.norm(Norm.QUERY), qkv.get(0))); // (N,Hq)
      Value k = turned(rope, normed(weights.norm(Norm.KEY), qkv.get(1))); // (N,Hk)
      Value o = Attention.on(tape, spec.attention(layer), q, k, qkv.get(2));
      return linear(layer, Projection.OUTPUT, o);
    }

    private List<Value> queryKeyValue(int layer, Value x) {
      if (spec.has(Projection.QUERY_KEY_VALUE)) {
        Value fused = linear(layer, Projection.QUERY_KEY_VALUE, x);
        return Split.on(tape, fused, spec.queryWidth(), spec.keyWidth(), spec.keyWidth());
      }
      return List.of(
          linear(layer, Projection.QUERY, x),
          linear(layer, Projection.KEY, x),
          linear(layer, Projection.VALUE, x));
    }

    private Value turned(RopeTable rope, Value x) {
      return rope == null ? x : Rope.on(tape, rope, batch.positions(), x);
    }

    private Value gatedUnit(int layer, Value x) {
      List<Value> parts = unitInputs(layer, x);
      Value gate = parts.size() == 1 ? null : parts.get(1);
      Value h = GatedUnit.on(tape, spec.nonlinearity(), parts.getFirst(), gate);
      return linear(layer, Projection.DOWN, h);
    }

    /** What the unit's function is of, and what multiplies it where something does, (N,F) each. */
    private List<Value> unitInputs(int layer, Value x) {
      if (spec.has(Projection.GATE_UP)) {
        Value fused = linear(layer, Projection.GATE_UP, x);
        return Split.on(tape, fused, spec.intermediate(), spec.intermediate());
      }
      if (spec.has(Projection.GATE)) {
        return List.of(linear(layer, Projection.GATE, x), linear(layer, Projection.UP, x));
      }
      return List.of(linear(layer, Projection.UP, x));
    }

    private Value linear(int layer, Projection projection, Value x) {
      LoraLinear linear = AdaptedModel.this.linear(layer, projection);
      if (!linear.hasAdapter() || dropout == 0) {
        return Linear.on(tape, linear, x, x);
      }
      long place = (long) layer * Projection.PLACES + projection.place();
      long seed = SplitMix64.bits(dropoutSeed, place);
      return Linear.on(tape, linear, x, Dropout.on(tape, dropout, seed, batch.rowKeys(), x));
    }
  }
}
