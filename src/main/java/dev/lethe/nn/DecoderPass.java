package dev.lethe.nn;

import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.AttentionKernels;
import dev.lethe.backend.kernel.EmbeddingKernels;
import dev.lethe.backend.kernel.GatedUnitKernels;
import dev.lethe.backend.kernel.LayerNormKernels;
import dev.lethe.backend.kernel.LoraKernels;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.backend.kernel.LossKernels;
import dev.lethe.backend.kernel.RmsNormKernels;
import dev.lethe.backend.kernel.RopeKernels;
import dev.lethe.backend.kernel.RowKernels;
import dev.lethe.backend.kernel.ScaledSumKernels;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.backend.kernel.operand.RopeTable;
import dev.lethe.nn.family.ModelFamily;
import dev.lethe.nn.family.Norm;
import dev.lethe.nn.family.Projection;
import dev.lethe.nn.family.TransformerSpec;
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
          Text.format("%d tokens behind %d in a cache of %d", ids.length, cache.length(), cache.capacity()));
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
    private final Tensor r;
    private final Tensor mean;
    private Tensor sum;
    private Tensor spare;

    Step(int[] ids, KeyValueCache cache, Scope scratch) {
      this.n = ids.length;
      this.cache = cache;
      this.scratch = scratch;
      int past = cache.length();
      this.queries = Packing.ofLengths(n);
      this.keys = Packing.ofLengths(past + n);
      this.positions =
          HostTensors.uploadIntegers(backend, scratch, IntStream.range(past, past + n).toArray());
      this.r = scratch.allocate(backend.vectorType(), (long) n * spec.heads());
      this.mean =
          spec.family().traits().contains(ModelFamily.Trait.LAYER_NORMS)
              ? scratch.allocate(backend.vectorType(), n)
              : null;
      this.sum = activation(spec.hidden());
      this.spare = activation(spec.hidden());
      backend.run(
          new EmbeddingKernels.Forward(
              model.embedding(), HostTensors.uploadIntegers(backend, scratch, ids), sum));
      if (spec.embeddingScale() != 1) {
        backend.run(new ScaledSumKernels.Apply(spec.embeddingScale(), sum, null, sum));
      }
    }

    void run(Tensor result) {
      Tensor added = learnedPositions();
      for (int layer = 0; layer < spec.layers(); layer++) {
        LanguageModel.Layer weights = model.layer(layer);
        Tensor in = before(weights.norm(Norm.BEFORE_ATTENTION), added);
        added = normed(weights.norm(Norm.AFTER_ATTENTION), attention(layer, in));
        Tensor middle = before(weights.norm(Norm.BEFORE_MLP), added);
        added = normed(weights.norm(Norm.AFTER_MLP), gatedUnit(layer, middle));
      }
      addAndNorm(model.finalNorm(), added, result);
    }

    /** What positions add to the embedding; null where they turn queries and keys. */
    private Tensor learnedPositions() {
      if (model.positions() == null) {
        return null;
      }
      Tensor y = activation(spec.hidden());
      backend.run(new EmbeddingKernels.Forward(model.positions(), positions, y));
      return y;
    }

    /** sum += added (released); gives the sum's norm, or the sum itself without weights. */
    private Tensor before(LanguageModel.NormWeights weights, Tensor added) {
      if (weights == null) {
        if (added != null) {
          backend.run(new ScaledSumKernels.Apply(1, added, sum, sum));
          scratch.release(added);
        }
        return sum;
      }
      Tensor y = activation(spec.hidden());
      addAndNorm(weights, added, y);
      return y;
    }

    /** sum += added (released), y = norm(sum). */
    private void addAndNorm(LanguageModel.NormWeights weights, Tensor added, Tensor y) {
      if (added == null) {
        norm(weights, sum, y);
        return;
      }
      norm(weights, sum, added, spare, y);
      scratch.release(added);
      Tensor old = sum;
      sum = spare;
      spare = old;
    }

    /** The norm of x (n,D), which is released; x itself without weights. */
    private Tensor normed(LanguageModel.NormWeights weights, Tensor x) {
      if (weights == null) {
        return x;
      }
      Tensor y = activation(spec.hidden());
      norm(weights, x, y);
      scratch.release(x);
      return y;
    }

    /** Releases what a layer has read, unless it is the residual stream. */
    private void releaseInput(Tensor x) {
      if (x != sum) {
        scratch.release(x);
      }
    }

    /** y = the norm of each of x's parts of the weight's width. */
    private void norm(LanguageModel.NormWeights weights, Tensor x, Tensor y) {
      long width = weights.weight().elements();
      long parts = x.elements() / width;
      norm(weights, x.reshape(parts, width), null, null, y.reshape(parts, width));
    }

    /** s = x + f and y = norm(s); without f, s is x and null here. */
    private void norm(LanguageModel.NormWeights weights, Tensor x, Tensor f, Tensor s, Tensor y) {
      Tensor rows = r.slice(0, x.dim(0));
      if (weights.bias() == null) {
        backend.run(
            new RmsNormKernels.Forward(
                weights.weight(), spec.normEpsilon(), x, f, s, y, rows));
        return;
      }
      LayerNormKernels.Primal p =
          new LayerNormKernels.Primal(weights.weight(), s == null ? x : s, mean, rows);
      backend.run(
          new LayerNormKernels.Forward(p, weights.bias(), spec.normEpsilon(), x, f, y));
    }

    /** A linear layer and a norm of what it gives, into y; the norm may be null. */
    private void normedLinear(int layer, Projection projection, Norm norm, Tensor x, Tensor y) {
      LanguageModel.NormWeights weights = model.layer(layer).norm(norm);
      if (weights == null) {
        linear(layer, projection, x, y);
        return;
      }
      Tensor whole = activation(spec.out(projection));
      linear(layer, projection, x, whole);
      norm(weights, whole, y);
      scratch.release(whole);
    }

    /** x (n,D), released unless it is the sum; gives (n,D). */
    private Tensor attention(int layer, Tensor x) {
      Tensor q = activation(spec.queryWidth());
      Tensor k = cache.keys(layer).slice(cache.length(), n);
      Tensor v = cache.values(layer).slice(cache.length(), n);
      if (spec.has(Projection.QUERY_KEY_VALUE)) {
        split(layer, Projection.QUERY_KEY_VALUE, x, q, k, v);
      } else {
        normedLinear(layer, Projection.QUERY, Norm.QUERY, x, q);
        normedLinear(layer, Projection.KEY, Norm.KEY, x, k);
        linear(layer, Projection.VALUE, x, v);
      }
      releaseInput(x);
      RopeTable rope = model.rope(layer, cache.length() + n);
      if (rope != null) {
        backend.run(new RopeKernels.Rotate(rope, positions, q, false));
        backend.run(new RopeKernels.Rotate(rope, positions, k, false));
      }
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

    /** x (n,D), released unless it is the sum; gives (n,D). */
    private Tensor gatedUnit(int layer, Tensor x) {
      boolean gated = spec.has(Projection.GATE) || spec.has(Projection.GATE_UP);
      Tensor a = activation(spec.intermediate());
      Tensor gate = gated ? activation(spec.intermediate()) : null;
      if (spec.has(Projection.GATE_UP)) {
        split(layer, Projection.GATE_UP, x, a, gate);
      } else if (gated) {
        linear(layer, Projection.GATE, x, a);
        linear(layer, Projection.UP, x, gate);
      } else {
        linear(layer, Projection.UP, x, a);
      }
      releaseInput(x);
      Tensor h = activation(spec.intermediate());
      backend.run(
          new GatedUnitKernels.Forward(
              new GatedUnitKernels.Primal(spec.nonlinearity(), a, gate), h));
      scratch.release(a);
      if (gated) {
        scratch.release(gate);
      }
      Tensor y = activation(spec.hidden());
      linear(layer, Projection.DOWN, h, y);
      scratch.release(h);
      return y;
    }

    /** The columns of what a fused layer gives, one part after another. */
    private void split(int layer, Projection fused, Tensor x, Tensor... parts) {
      Tensor whole = activation(spec.out(fused));
      linear(layer, fused, x, whole);
      long column = 0;
      for (Tensor part : parts) {
        backend.run(new RowKernels.CopyColumns(whole, column, part, 0, part.dim(1)));
        column += part.dim(1);
      }
      scratch.release(whole);
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
