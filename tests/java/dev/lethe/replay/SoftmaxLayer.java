package dev.lethe.replay;

import dev.lethe.autograd.Linearization;
import dev.lethe.autograd.Tape;
import dev.lethe.autograd.op.Embedding;
import dev.lethe.autograd.op.Linear;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.backend.kernel.LoraLinear;
import dev.lethe.backend.kernel.LoraSlot;
import dev.lethe.backend.kernel.operand.FrozenLinear;
import dev.lethe.backend.kernel.operand.Packing;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * One linear layer with an adapter, and softmax cross-entropy straight on it: logits = (W + s·BA)x. The
 * head is the identity. 24 tokens in four samples, seven inputs, five classes, rank 2.
 */
public final class SoftmaxLayer implements AutoCloseable {
  static final int IN = 7;
  static final int OUT = 5;
  static final int RANK = 2;
  public static final long PARAMETERS = RANK * (IN + OUT);
  private static final int[] LENGTHS = {5, 1, 11, 7};
  public static final int TOKENS = Arrays.stream(LENGTHS).sum();

  public final Backend backend;
  public final Scope scope;
  public final LoraLinear layer;
  public final Linearization at;
  private final SplittableRandom random;

  public SoftmaxLayer(String device, long seed) {
    backend = Backends.select(device, new BackendOptions(2));
    scope = backend.openScope("test");
    random = new SplittableRandom(seed);
    FrozenLinear weight = backend.freezeLinear(host(0.3, OUT, IN), null, true, scope);
    layer =
        new LoraLinear(weight, new LoraSlot(IN, OUT, RANK, 2, 0, (long) RANK * IN));
    at = new Linearization(backend, tape(), random(0.5, PARAMETERS));
  }

  private Tape tape() {
    Packing packing = Packing.ofLengths(LENGTHS);
    int rows = packing.rows();
    Tape tape = new Tape(packing);
    int[] ids = new int[rows];
    int[] targets = new int[rows];
    double[] weights = new double[rows];
    for (int i = 0; i < packing.count(); i++) {
      for (int t = packing.start(i); t < packing.end(i); t++) {
        ids[t] = t;
        targets[t] = random.nextInt(OUT);
        weights[t] = 1.0 / packing.length(i);
      }
    }
    Tensor w = scope.allocate(backend.vectorType(), rows);
    backend.upload(Tensor.of(Shape.of(rows), weights), w);
    double[] one = new double[OUT * OUT];
    for (int i = 0; i < OUT; i++) {
      one[i * OUT + i] = 1;
    }
    FrozenLinear head =
        backend.freezeLinear(Tensor.of(Shape.of(OUT, OUT), one), null, true, scope);
    var x = Embedding.on(tape, backend.freezeEmbedding(host(1, rows, IN), scope), integers(ids));
    tape.crossEntropy(head, Linear.on(tape, layer, x, x), integers(targets), w, packing);
    return tape;
  }

  private Tensor integers(int[] values) {
    Tensor tensor = scope.allocate(DType.I32, values.length);
    backend.upload(Tensor.of(Shape.of(values.length), values), tensor);
    return tensor;
  }

  private Tensor host(double deviation, long... dims) {
    Shape shape = Shape.of(dims);
    float[] values = new float[(int) shape.elements()];
    for (int i = 0; i < values.length; i++) {
      values[i] = (float) (deviation * random.nextGaussian());
    }
    return Tensor.of(shape, values);
  }

  /** A new tensor of normal numbers in the vector type. */
  public Tensor random(double deviation, long... dims) {
    Tensor tensor = scope.allocate(backend.vectorType(), Shape.of(dims));
    backend.upload(host(deviation, dims), tensor);
    return tensor;
  }

  /** A new tensor of zeros in the vector type. */
  public Tensor zeros(long... dims) {
    Tensor tensor = scope.allocate(backend.vectorType(), Shape.of(dims));
    backend.vectors().fill(tensor, 0);
    return tensor;
  }

  public double[] values(Tensor tensor) {
    double[] values = new double[(int) tensor.elements()];
    backend.download(tensor, Tensor.of(tensor.shape(), values));
    return values;
  }

  /** ‖a − b‖/‖b‖. */
  public double distance(Tensor a, Tensor b) {
    Tensor difference = scope.allocate(backend.vectorType(), a.shape());
    backend.vectors().copy(a, difference);
    backend.vectors().axpy(-1, b, difference);
    return backend.vectors().norm(difference) / backend.vectors().norm(b);
  }

  @Override
  public void close() {
    at.close();
    scope.close();
    backend.close();
  }
}
