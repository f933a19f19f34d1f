package dev.lethe.autograd;

import dev.lethe.autograd.op.Attention;
import dev.lethe.autograd.op.Dropout;
import dev.lethe.autograd.op.Embedding;
import dev.lethe.autograd.op.GatedUnit;
import dev.lethe.autograd.op.Linear;
import dev.lethe.autograd.op.Rope;
import dev.lethe.autograd.op.SelectRows;
import dev.lethe.autograd.op.Value;
import dev.lethe.autograd.op.norm.LayerNorm;
import dev.lethe.autograd.op.norm.RmsNorm;
import dev.lethe.autograd.op.norm.ScaledSum;
import dev.lethe.backend.Backend;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.backend.kernel.operand.AttentionShape;
import dev.lethe.backend.kernel.operand.FrozenEmbedding;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.backend.kernel.operand.Nonlinearity;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.backend.kernel.operand.RopeTable;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.SplittableRandom;

/** Random frozen weights and the two-layer network recorded from them by hand. */
final class SmallNetwork {
  private static final int HIDDEN = 12;
  private static final int FFN = 10;
  private static final int VOCABULARY = 17;
  private static final int RANK = 3;
  private static final AttentionShape HEADS = new AttentionShape(4, 2, 6, 0);
  private static final Packing PACKING = Packing.ofLengths(5, 1, 7);
  private static final int[] SUPERVISED = {1, 3, 4, 5, 8, 11, 12};
  private static final Packing SUPERVISED_PACKING = Packing.ofLengths(3, 1, 3);

  private final Backend backend;
  private final Scope scope;
  private final SplittableRandom random;
  private final double dropout;
  private final Tensor theta;
  private boolean layerNorms;
  private boolean normsAfter;
  private Nonlinearity nonlinearity = Nonlinearity.SILU;
  private boolean gated = true;
  private long nextOffset;

  SmallNetwork(Backend backend, Scope scope, long seed, double dropout) {
    this.backend = backend;
    this.scope = scope;
    this.random = new SplittableRandom(seed);
    this.dropout = dropout;
    this.theta = random(4L * RANK * (HIDDEN + HEADS.queryWidth()) + 2L * RANK * (HIDDEN + FFN));
  }

  /** The same with layer norms in place of root-mean-square norms. */
  SmallNetwork withLayerNorms() {
    layerNorms = true;
    return this;
  }

  /** The same with norms of what layers add, sums without a norm, and a scaled embedding. */
  SmallNetwork withNormsAfter() {
    normsAfter = true;
    return this;
  }

  /** The same with another function in the layers' units, and with a gate or without. */
  SmallNetwork withUnits(Nonlinearity f, boolean withGate) {
    nonlinearity = f;
    gated = withGate;
    return this;
  }

  Tensor theta() {
    return theta;
  }

  /** Layer 1 has adapters on v only, layer 2 on q, o and both of the unit's projections. */
  Tape tape() {
    return record(true);
  }

  Tape tapeWithoutAdapters() {
    return record(false);
  }

  void recordWithASharedInput() {
    Tape tape = new Tape(PACKING);
    Value x = linear(tape, Embedding.on(tape, embedding(), ids(PACKING.rows())), FFN, true);
    GatedUnit.on(tape, Nonlinearity.SILU, x, x);
    GatedUnit.on(tape, Nonlinearity.SILU, x, x);
  }

  Tensor random(long... dims) {
    Shape shape = Shape.of(dims);
    Tensor tensor = scope.allocate(backend.vectorType(), shape);
    backend.upload(host(shape, 0.5), tensor);
    return tensor;
  }

  private Tape record(boolean adapters) {
    nextOffset = 0;
    Tape tape = new Tape(PACKING);
    Value rows = Embedding.on(tape, embedding(), ids(PACKING.rows()));
    Value hidden = normsAfter ? ScaledSum.on(tape, 1.7, rows, null) : rows;
    Normed normed = normed(tape, hidden, null);
    for (int layer = 0; layer < 2; layer++) {
      boolean upper = adapters && layer == 1;
      Value q = rotated(tape, linear(tape, normed.out, HEADS.queryWidth(), upper));
      Value k = rotated(tape, linear(tape, normed.out, HEADS.keyWidth(), false));
      Value v = linear(tape, normed.out, HEADS.keyWidth(), adapters && layer == 0);
      Value o = linear(tape, Attention.on(tape, HEADS, q, k, v), HIDDEN, upper);
      normed = normed(tape, normed.sum, o);
      Value gate = linear(tape, normed.out, FFN, upper);
      Value up = gated ? linear(tape, normed.out, FFN, upper) : null;
      Value unit = GatedUnit.on(tape, nonlinearity, gate, up);
      Value down = linear(tape, unit, HIDDEN, false);
      normed = normed(tape, normed.sum, down);
    }
    finish(tape, normed.out);
    return tape;
  }

  private Normed normed(Tape tape, Value x, Value f) {
    if (normsAfter) {
      Value added = f == null ? null : RmsNorm.on(tape, norm(), 1e-5, f, null).y();
      Value sum = f == null ? x : ScaledSum.on(tape, 0.8, x, added);
      return new Normed(sum, sum);
    }
    if (layerNorms) {
      LayerNorm norm = LayerNorm.on(tape, norm(), norm(), 1e-5, x, f);
      return new Normed(norm.s(), norm.y());
    }
    RmsNorm norm = RmsNorm.on(tape, norm(), 1e-5, x, f);
    return new Normed(norm.s(), norm.y());
  }

  private void finish(Tape tape, Value hidden) {
    Tensor rows = integers(SUPERVISED);
    double[] weights = new double[SUPERVISED.length];
    for (int i = 0; i < SUPERVISED_PACKING.count(); i++) {
      for (int row = SUPERVISED_PACKING.start(i); row < SUPERVISED_PACKING.end(i); row++) {
        weights[row] = 1.0 / SUPERVISED_PACKING.length(i);
      }
    }
    Tensor w = scope.allocate(backend.vectorType(), weights.length);
    backend.upload(Tensor.of(w.shape(), weights), w);
    Value selected = SelectRows.on(tape, rows, hidden);
    FrozenLinear head =
        backend.freezeLinear(host(Shape.of(VOCABULARY, HIDDEN), 1), null, true, scope);
    tape.crossEntropy(head, selected, ids(SUPERVISED.length), w, SUPERVISED_PACKING);
  }

  private Value linear(Tape tape, Value x, long out, boolean adapter) {
    FrozenLinear weight =
        backend.freezeLinear(
            host(Shape.of(out, x.width()), 0.5), host(Shape.of(out), 0.1), true, scope);
    if (!adapter) {
      return Linear.on(tape, new LoraLinear(weight, null), x, x);
    }
    long a = nextOffset;
    long b = a + RANK * x.width();
    nextOffset = b + RANK * out;
    Value xa = dropout == 0 ? x : Dropout.on(tape, dropout, random.nextLong(), keys(), x);
    return Linear.on(
        tape,
        new LoraLinear(weight, new LoraSlot(x.width(), out, RANK, 1.5, a, b)), x, xa);
  }

  private Tensor keys() {
    return integers(random.ints(2L * PACKING.rows()).toArray()).reshape(PACKING.rows(), 2);
  }

  private Value rotated(Tape tape, Value x) {
    int positions = PACKING.longest();
    int half = HEADS.headSize() / 2;
    double[] cos = new double[positions * half];
    double[] sin = new double[positions * half];
    for (int i = 0; i < cos.length; i++) {
      double angle = (i / half) * Math.pow(100, -(i % half) / (double) half);
      cos[i] = Math.cos(angle);
      sin[i] = Math.sin(angle);
    }
    Shape shape = Shape.of(positions, half);
    RopeTable table =
        new RopeTable(
            backend.freezeVector(Tensor.of(shape, cos), scope),
            backend.freezeVector(Tensor.of(shape, sin), scope),
            HEADS.headSize());
    int[] position = new int[PACKING.rows()];
    for (int i = 0; i < PACKING.count(); i++) {
      for (int row = PACKING.start(i); row < PACKING.end(i); row++) {
        position[row] = row - PACKING.start(i);
      }
    }
    return Rope.on(tape, table, integers(position), x);
  }

  private FrozenEmbedding embedding() {
    return backend.freezeEmbedding(host(Shape.of(VOCABULARY, HIDDEN), 1), scope);
  }

  private Tensor norm() {
    return backend.freezeVector(host(Shape.of(HIDDEN), 1), scope);
  }

  private Tensor ids(int count) {
    return integers(random.ints(count, 0, VOCABULARY).toArray());
  }

  private Tensor integers(int[] values) {
    Tensor tensor = scope.allocate(DType.I32, values.length);
    backend.upload(Tensor.of(tensor.shape(), values), tensor);
    return tensor;
  }

  private Tensor host(Shape shape, double size) {
    return Tensor.of(shape, random.doubles(shape.elements(), -size, size).toArray());
  }

  /** The sum for the next residual, and the input of the next layer. */
  private record Normed(Value sum, Value out) {}
}
