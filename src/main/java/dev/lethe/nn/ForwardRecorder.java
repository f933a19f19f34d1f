package dev.lethe.nn;

import dev.lethe.autograd.Tape;
import dev.lethe.autograd.op.Attention;
import dev.lethe.autograd.op.Dropout;
import dev.lethe.autograd.op.Embedding;
import dev.lethe.autograd.op.GatedUnit;
import dev.lethe.autograd.op.Input;
import dev.lethe.autograd.op.Linear;
import dev.lethe.autograd.op.Rope;
import dev.lethe.autograd.op.SelectRows;
import dev.lethe.autograd.op.Split;
import dev.lethe.autograd.op.Value;
import dev.lethe.autograd.op.norm.LayerNorm;
import dev.lethe.autograd.op.norm.ResidualNorm;
import dev.lethe.autograd.op.norm.RmsNorm;
import dev.lethe.autograd.op.norm.ScaledSum;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.backend.kernel.operand.RopeTable;
import dev.lethe.nn.family.Norm;
import dev.lethe.nn.family.Projection;
import dev.lethe.nn.family.TransformerSpec;
import dev.lethe.tensor.SplitMix64;
import java.util.List;

/** Records the forward pass of one batch. */
final class ForwardRecorder {
  private final AdaptedModel adapted;
  private final LanguageModel model;
  private final TransformerSpec spec;
  private final HiddenStates states;
  private final Batch batch;
  private final double dropout;
  private final long dropoutSeed;
  private final Tape tape;
  private Value sum;
  private Value added;

  /**
   * @param states where the tape starts; null: at the embedding
   */
  ForwardRecorder(AdaptedModel adapted, HiddenStates states, Batch batch, double dropout, long dropoutSeed) {
    this.adapted = adapted;
    this.model = adapted.model();
    this.spec = model.spec();
    this.states = states;
    this.batch = batch;
    this.dropout = dropout;
    this.dropoutSeed = dropoutSeed;
    this.tape = new Tape(batch.packing());
  }

  /** With the losses of the supervised rows at its end. */
  Tape record() {
    layersFromBelow(spec.layers());
    Value last = before(model.finalNorm());
    Value supervised = SelectRows.on(tape, batch.rows(), last); // (M,D)
    tape.crossEntropy(
        model.head(), supervised, batch.targets(), batch.weights(), batch.supervised());
    return tape;
  }

  Tape tape() {
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

  /** Ends the tape with what leaves the first layers, for losses of it. */
  AdaptedModel.HiddenTape recordHidden(int count) {
    layersFromBelow(count);
    Value last = ScaledSum.on(tape, 1, sum, added);
    tape.end();
    return new AdaptedModel.HiddenTape(tape, last);
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
    return linears(layer, List.of(Projection.QUERY, Projection.KEY, Projection.VALUE), x);
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
      return linears(layer, List.of(Projection.GATE, Projection.UP), x);
    }
    return List.of(linear(layer, Projection.UP, x));
  }

  /** Layers of one input, as one operation where no adapter drops out its own part of it. */
  private List<Value> linears(int layer, List<Projection> projections, Value x) {
    List<LoraLinear> linears = projections.stream().map(p -> adapted.linear(layer, p)).toList();
    if (dropout == 0 || linears.stream().noneMatch(LoraLinear::hasAdapter)) {
      return Linear.on(tape, linears, x, x);
    }
    return projections.stream().map(p -> linear(layer, p, x)).toList();
  }

  private Value linear(int layer, Projection projection, Value x) {
    LoraLinear linear = adapted.linear(layer, projection);
    if (!linear.hasAdapter() || dropout == 0) {
      return Linear.on(tape, linear, x, x);
    }
    long place = (long) layer * Projection.PLACES + projection.place();
    long seed = SplitMix64.bits(dropoutSeed, place);
    return Linear.on(tape, linear, x, Dropout.on(tape, dropout, seed, batch.rowKeys(), x));
  }
}
