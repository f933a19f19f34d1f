package dev.lethe.nn;

import dev.lethe.LetheException;
import dev.lethe.autograd.Gradients;
import dev.lethe.autograd.Tape;
import dev.lethe.autograd.op.Attention;
import dev.lethe.autograd.op.Dropout;
import dev.lethe.autograd.op.Embedding;
import dev.lethe.autograd.op.GatedUnit;
import dev.lethe.autograd.op.Input;
import dev.lethe.autograd.op.Linear;
import dev.lethe.autograd.op.RmsNorm;
import dev.lethe.autograd.op.Rope;
import dev.lethe.autograd.op.SelectRows;
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
      for (Projection p : Projection.values()) {
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
    private final RopeTable rope;
    private final Tape tape;
    private Value sum;
    private Value added;

    Recorder(Batch batch, double dropout, long dropoutSeed) {
      this.batch = batch;
      this.dropout = dropout;
      this.dropoutSeed = dropoutSeed;
      this.rope = model.rope(batch.packing().longest());
      this.tape = new Tape(batch.packing());
    }

    Tape record() {
      if (states == null) {
        embed();
      } else {
        sum = Input.on(tape, batch.states(states));
      }
      layers(states == null ? 0 : states.layer(), spec.layers());
      Value last = norm(model.finalNorm(), sum, added).y();
      Value supervised = SelectRows.on(tape, batch.rows(), last); // (M,D)
      tape.crossEntropy(
          model.head(), supervised, batch.targets(), batch.weights(), batch.supervised());
      return tape;
    }

    /** Ends the tape with what enters a layer, (N,D). */
    Value statesOf(int layer) {
      embed();
      layers(0, layer);
      Value entering = norm(model.layer(layer).attentionNorm(), sum, added).s();
      tape.end();
      return entering;
    }

    private void embed() {
      sum = Embedding.on(tape, model.embedding(), batch.ids()); // (N,D)
    }

    /** Records layers {@code first … end-1}; what enters one is sum + added. */
    private void layers(int first, int end) {
      for (int layer = first; layer < end; layer++) {
        RmsNorm in = norm(model.layer(layer).attentionNorm(), sum, added);
        RmsNorm middle =
            norm(model.layer(layer).mlpNorm(), in.s(), attention(layer, in.y()));
        sum = middle.s();
        added = gatedUnit(layer, middle.y());
      }
    }

    private RmsNorm norm(Tensor weight, Value x, Value added) {
      return RmsNorm.on(tape, weight, spec.normEpsilon(), x, added);
    }

    private Value attention(int layer, Value x) {
      Value q = linear(layer, Projection.QUERY, x); // (N,Hq)
      Value k = linear(layer, Projection.KEY, x); // (N,Hk)
      Value v = linear(layer, Projection.VALUE, x);
      Value turnedQ = Rope.on(tape, rope, batch.positions(), q);
      Value turnedK = Rope.on(tape, rope, batch.positions(), k);
      Value o = Attention.on(tape, spec.attention(layer), turnedQ, turnedK, v);
      return linear(layer, Projection.OUTPUT, o);
    }

    private Value gatedUnit(int layer, Value x) {
      Value gate = linear(layer, Projection.GATE, x); // (N,F)
      Value up = linear(layer, Projection.UP, x);
      return linear(layer, Projection.DOWN, GatedUnit.on(tape, spec.nonlinearity(), gate, up));
    }

    private Value linear(int layer, Projection projection, Value x) {
      LoraLinear linear = AdaptedModel.this.linear(layer, projection);
      if (!linear.hasAdapter() || dropout == 0) {
        return Linear.on(tape, linear, x, x);
      }
      long place = (long) layer * Projection.values().length + projection.ordinal();
      long seed = SplitMix64.bits(dropoutSeed, place);
      return Linear.on(tape, linear, x, Dropout.on(tape, dropout, seed, batch.rowKeys(), x));
    }
  }
}
