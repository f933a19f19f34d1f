package dev.lethe.bench.predict;

import static dev.lethe.bench.predict.H200.STREAM_SHARE;

import dev.lethe.ArgumentException;
import dev.lethe.bench.Operation;
import dev.lethe.bench.Workload;
import dev.lethe.nn.family.Projection;
import dev.lethe.nn.family.TransformerSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/**
 * The kernels of an operation on one H200, in bfloat16, and the time that the model gives each: docs/gpu-model.md. One
 * vector at a time; all layers are taken to depend on adapters below them.
 */
public final class Prediction {
  private static final int BF16 = 2;
  private static final int F32 = 4;

  /** What CudaLoss allows the logits of a chunk of rows, and the fewest rows of one. */
  private static final long CHUNK_BYTES = 512L << 20;

  private static final long LEAST_ROWS = 512;

  private final Workload workload;
  private final AttentionProducts attention;
  private final TransformerSpec spec;
  private final double rows;
  private final double hiddenBytes;
  private final double feedForwardBytes;
  private final List<KernelWork> all = new ArrayList<>();

  private Prediction(Workload workload, AttentionProducts attention) {
    this.workload = workload;
    this.attention = attention;
    this.spec = workload.spec();
    this.rows = (double) workload.batch() * (workload.seq() - 1);
    this.hiddenBytes = BF16 * rows * spec.hidden();
    this.feedForwardBytes = BF16 * rows * spec.intermediate();
  }

  /**
   * Predicts one run of an operation on one vector.
   *
   * @throws ArgumentException for operations on several vectors, and for head sizes that have no tiled kernel
   */
  public static Prediction of(Workload workload, Operation op, AttentionProducts attention) {
    Prediction p = new Prediction(workload, attention);
    switch (op) {
      case FORWARD -> p.forward(false, false);
      case GRAD -> p.gradient(false, LoraWork::backwardAndGradient);
      case PER_SAMPLE -> p.gradient(false, LoraWork::backwardAndSampleGradients);
      case HVP -> {
        p.gradient(true, LoraWork::backward);
        p.hessianProduct();
      }
      case HVP_AGAIN -> p.hessianProduct();
      case GGN -> {
        p.forward(true, false);
        p.tangent();
        p.backward(LoraWork::backwardAndGradient);
      }
      case GGN_AGAIN -> {
        p.tangent();
        p.backward(LoraWork::backwardAndGradient);
      }
      case HVP_BLOCK, GGN_BLOCK -> throw new ArgumentException(op.label() + " has no prediction");
    }
    return p;
  }

  /** Seconds of all kernels, one after another. */
  public double seconds() {
    return all.stream().mapToDouble(KernelWork::seconds).sum();
  }

  /** Launches of all kernels. */
  public double launches() {
    return all.stream().mapToDouble(KernelWork::launches).sum();
  }

  /** Every kernel at every shape, in the order of a pass; equal names are different shapes. */
  public List<KernelWork> kernels() {
    return List.copyOf(all);
  }

  private void gradient(boolean probabilities, Function<LoraWork, List<KernelWork>> adjoints) {
    forward(probabilities, true);
    backward(adjoints);
  }

  private void hessianProduct() {
    tangent();
    backwardTangent();
  }

  /**
   * @param probabilities whether products will want them
   * @param adjoint whether a gradient is wanted
   */
  private void forward(boolean probabilities, boolean adjoint) {
    add(KernelWork.stream("rows_gather", 1, 2 * hiddenBytes, STREAM_SHARE));
    layers("rms_norm_forward", 2, 4 * hiddenBytes);
    rope();
    attention("forward", queryBytes(2) + keyBytes(2));
    layers("gated_forward", 1, 3 * feedForwardBytes);
    linear(LoraWork::forward);
    add(KernelWork.stream("rms_norm_forward", 1, 4 * hiddenBytes, STREAM_SHARE));
    int results = (probabilities ? 1 : 0) + (adjoint ? 1 : 0);
    head("cross_entropy_forward", F32, F32 + results * BF16, adjoint);
  }

  private void tangent() {
    layers("rms_norm_tangent", 2, 5 * hiddenBytes);
    rope();
    attention("tangent", queryBytes(4) + keyBytes(4));
    layers("gated_tangent", 1, 5 * feedForwardBytes);
    linear(LoraWork::tangent);
    add(KernelWork.stream("rms_norm_tangent", 1, 5 * hiddenBytes, STREAM_SHARE));
    head("cross_entropy_backward_tangent", BF16, 3 * BF16, true);
  }

  private void backward(Function<LoraWork, List<KernelWork>> adjoints) {
    add(KernelWork.stream("rms_norm_backward", 1, 4 * hiddenBytes, STREAM_SHARE));
    layers("rms_norm_backward", 2, 4 * hiddenBytes);
    rope();
    attention("query_gradient", queryBytes(4) + keyBytes(2));
    attention("key_gradient", queryBytes(2) + keyBytes(4));
    layers("gated_backward", 1, 5 * feedForwardBytes);
    linear(adjoints);
  }

  private void backwardTangent() {
    add(KernelWork.stream("rms_norm_backward_tangent", 1, 6 * hiddenBytes, STREAM_SHARE));
    layers("rms_norm_backward_tangent", 2, 6 * hiddenBytes);
    rope();
    attention("query_gradient_tangent", queryBytes(7) + keyBytes(4));
    attention("key_gradient_tangent", queryBytes(4) + keyBytes(6));
    layers("gated_backward_tangent", 1, 8 * feedForwardBytes);
    linear(LoraWork::backwardAndGradientTangent);
  }

  private void rope() {
    layers("rope_rotate", 1, queryBytes(2));
    layers("rope_rotate", 1, keyBytes(2));
  }

  private void attention(String kernel, double bytes) {
    int size = spec.attention(0).headSize();
    add(
        TileLoop.of(attention, kernel, size)
            .launch(spec.attention(0).heads(), workload.batch(), workload.seq() - 1, bytes)
            .times(spec.layers()));
  }

  /**
   * The vocabulary's products in chunks of rows, and a kernel between them that moves so many bytes a logit. What it reads
   * a second time lies in shared memory or in the second-level cache (CrossEntropyTrafficTest).
   */
  private void head(String kernel, int logitBytes, double kernelBytes, boolean adjoint) {
    long vocabulary = spec.vocabulary();
    double chunk = Math.min(rows, Math.max(LEAST_ROWS, CHUNK_BYTES / (F32 * vocabulary) / 128 * 128));
    double chunks = Math.ceil(rows / chunk);
    KernelWork logits = ProductWork.of("logits", chunk, vocabulary, spec.hidden());
    double more = (logitBytes - BF16) * chunk * vocabulary;
    add(logits.times(chunks).withBytes(logits.bytes() + more));
    add(KernelWork.stream(kernel, chunks, kernelBytes * chunk * vocabulary, STREAM_SHARE));
    if (adjoint) {
      add(ProductWork.of("logits_back", chunk, spec.hidden(), vocabulary).times(chunks));
    }
  }

  private void linear(Function<LoraWork, List<KernelWork>> mode) {
    for (List<Projection> group : Projection.GROUPS) {
      List<Projection> present = group.stream().filter(spec.projections()::contains).toList();
      if (!present.isEmpty()) {
        mode.apply(lora(present)).forEach(work -> add(work.times(spec.layers())));
      }
    }
  }

  private LoraWork lora(List<Projection> group) {
    List<LoraWork.Layer> layers = new ArrayList<>();
    for (Projection projection : group) {
      String module = spec.module(0, projection);
      boolean adapted = workload.targets().contains(module.substring(module.lastIndexOf('.') + 1));
      layers.add(new LoraWork.Layer(spec.out(projection), adapted ? workload.rank() : 0));
    }
    return new LoraWork(rows, spec.in(group.getFirst()), layers, workload.batch());
  }

  private void layers(String kernel, int launches, double bytes) {
    add(KernelWork.stream(kernel, (double) launches * spec.layers(), bytes, STREAM_SHARE));
  }

  private double queryBytes(int tensors) {
    return tensors * BF16 * rows * spec.queryWidth();
  }

  private double keyBytes(int tensors) {
    return tensors * BF16 * rows * spec.keyWidth();
  }

  private void add(KernelWork work) {
    all.add(work);
  }
}
