package dev.lethe.nn;

import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.AttentionKernels;
import dev.lethe.backend.kernel.EmbeddingKernels;
import dev.lethe.backend.kernel.GatedUnitKernels;
import dev.lethe.backend.kernel.LoraKernels;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.backend.kernel.LossKernels;
import dev.lethe.backend.kernel.Packing;
import dev.lethe.backend.kernel.RmsNormKernels;
import dev.lethe.backend.kernel.RopeKernels;
import dev.lethe.backend.kernel.RopeTable;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.stream.IntStream;

/**
 * The forward pass without a tape, of one sequence with a cache: the same kernels in the same order
 * as {@link AdaptedModel} records, but nothing is kept for derivatives.
 */
final class DecoderPass {
  private final AdaptedModel adapted;
  private final LanguageModel model;
  private final TransformerSpec spec;
  private final Backend backend;

  DecoderPass(AdaptedModel adapted) {
    this.adapted = adapted;
    this.model = adapted.model();
    this.spec = model.spec();
    this.backend = model.backend();
  }

  /**
   * Runs tokens that follow those of the cache and adds them to it.
   *
   * @param ids n tokens
   * @param owner where the result lives
   * @return what the head reads, (n,D)
   */
  Tensor hidden(int[] ids, KeyValueCache cache, Scope owner) {
    AdaptedModel.requireTokens(spec, "prompt", ids);
    if (cache.length() + ids.length > cache.capacity()) {
      throw new IllegalStateException(
          "%d tokens behind %d in a cache of %d"
              .formatted(ids.length, cache.length(), cache.capacity()));
    }
    Tensor result = owner.allocate(backend.activationType(), ids.length, spec.hidden());
    try (Scope scratch = backend.openScope("decoder pass")) {
      new Step(ids, cache, scratch).run(result);
    }
    cache.advance(ids.length);
    return result;
  }

  /** Logits (V) of one row of what {@link #hidden} gave, (1,D). */
  double[] logits(Tensor row) {
    try (Scope scratch = backend.openScope("logits")) {
      Tensor z = scratch.allocate(backend.activationType(), 1, spec.vocabulary());
      backend.run(new LossKernels.Logits(model.head(), row, z));
      return HostTensors.doubles(backend, z);
    }
  }

  /** The likeliest token, the lowest of equals, by one row of what {@link #hidden} gave, (1,D). */
  int likeliest(Tensor row) {
    try (Scope scratch = backend.openScope("likeliest token")) {
      Tensor z = scratch.allocate(backend.activationType(), 1, spec.vocabulary());
      Tensor id = scratch.allocate(DType.I32, 1);
      backend.run(new LossKernels.Logits(model.head(), row, z));
      backend.run(new LossKernels.Likeliest(z, id));
      int[] value = new int[1];
      backend.download(id, Tensor.of(id.shape(), value));
      return value[0];
    }
  }

  /** One run over all layers. */
  private final class Step {
    private final int n;
    private final KeyValueCache cache;
    private final Scope scratch;
    private final Packing queries;
    private final Packing keys;
    private final Tensor positions;
    private final RopeTable rope;
    private final Tensor r;
    private Tensor sum;
    private Tensor spare;

    Step(int[] ids, KeyValueCache cache, Scope scratch) {
      this.n = ids.length;
      this.cache = cache;
      this.scratch = scratch;
      int past = cache.length();
      this.queries = Packing.ofLengths(n);
      this.keys = Packing.ofLengths(past + n);
      this.rope = model.rope(past + n);
      this.positions =
          HostTensors.uploadIntegers(backend, scratch, IntStream.range(past, past + n).toArray());
      this.r = scratch.allocate(backend.vectorType(), n);
      this.sum = activation(spec.hidden());
      this.spare = activation(spec.hidden());
      backend.run(
          new EmbeddingKernels.Forward(
              model.embedding(), HostTensors.uploadIntegers(backend, scratch, ids), sum));
    }

    void run(Tensor result) {
      Tensor added = null;
      for (int layer = 0; layer < spec.layers(); layer++) {
        Tensor in = normed(model.layer(layer).attentionNorm(), added);
        Tensor middle = normed(model.layer(layer).mlpNorm(), attention(layer, in));
        added = gatedUnit(layer, middle);
      }
      addAndNorm(model.finalNorm(), added, result);
    }

    private Tensor normed(Tensor weight, Tensor added) {
      Tensor y = activation(spec.hidden());
      addAndNorm(weight, added, y);
      return y;
    }

    /** sum += added (released), y = norm(sum). */
    private void addAndNorm(Tensor weight, Tensor added, Tensor y) {
      if (added == null) {
        backend.run(new RmsNormKernels.Forward(weight, spec.normEpsilon(), sum, null, null, y, r));
        return;
      }
      backend.run(new RmsNormKernels.Forward(weight, spec.normEpsilon(), sum, added, spare, y, r));
      scratch.release(added);
      Tensor old = sum;
      sum = spare;
      spare = old;
    }

    /** x (n,D), released; gives (n,D). */
    private Tensor attention(int layer, Tensor x) {
      Tensor q = activation(spec.queryWidth());
      Tensor k = cache.keys(layer).slice(cache.length(), n);
      Tensor v = cache.values(layer).slice(cache.length(), n);
      linear(layer, Projection.QUERY, x, q);
      linear(layer, Projection.KEY, x, k);
      linear(layer, Projection.VALUE, x, v);
      scratch.release(x);
      backend.run(new RopeKernels.Rotate(rope, positions, q, q, false));
      backend.run(new RopeKernels.Rotate(rope, positions, k, k, false));
      Tensor o = activation(spec.queryWidth());
      backend.run(
          new AttentionKernels.Forward(
              spec.attention(layer),
              queries,
              keys,
              new AttentionKernels.Primal(q, cache.keys(layer), cache.values(layer), o, null)));
      scratch.release(q);
      Tensor y = activation(spec.hidden());
      linear(layer, Projection.OUTPUT, o, y);
      scratch.release(o);
      return y;
    }

    /** x (n,D), released; gives (n,D). */
    private Tensor gatedUnit(int layer, Tensor x) {
      Tensor gate = activation(spec.intermediate());
      Tensor up = activation(spec.intermediate());
      linear(layer, Projection.GATE, x, gate);
      linear(layer, Projection.UP, x, up);
      scratch.release(x);
      Tensor h = activation(spec.intermediate());
      backend.run(
          new GatedUnitKernels.Forward(
              new GatedUnitKernels.Primal(spec.nonlinearity(), gate, up), h));
      scratch.release(gate);
      scratch.release(up);
      Tensor y = activation(spec.hidden());
      linear(layer, Projection.DOWN, h, y);
      scratch.release(h);
      return y;
    }

    private void linear(int layer, Projection projection, Tensor x, Tensor y) {
      LoraLinear linear = adapted.linear(layer, projection);
      if (!linear.hasAdapter()) {
        backend.run(new LoraKernels.Forward(linear, null, x, x, null, y));
        return;
      }
      Tensor u = activation(linear.slot().rank());
      backend.run(new LoraKernels.Forward(linear, adapted.theta(), x, x, u, y));
      scratch.release(u);
    }

    private Tensor activation(long width) {
      return scratch.allocate(backend.activationType(), n, width);
    }
  }
}
