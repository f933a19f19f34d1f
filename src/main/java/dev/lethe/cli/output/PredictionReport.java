package dev.lethe.cli.output;

import dev.lethe.Text;
import dev.lethe.bench.Operation;
import dev.lethe.bench.Workload;
import dev.lethe.bench.predict.AttentionProducts;
import dev.lethe.bench.predict.KernelWork;
import dev.lethe.bench.predict.Prediction;
import dev.lethe.format.StrictJson;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tools.jackson.databind.node.ObjectNode;

/** What the bench command prints of predictions, which are no measurements. */
public final class PredictionReport {
  private static final String DEVICE = "model of one H200";

  private final Workload workload;
  private final AttentionProducts attention;

  public PredictionReport(Workload workload, AttentionProducts attention) {
    this.workload = workload;
    this.attention = attention;
  }

  /** The line of an operation. */
  public ObjectNode line(Operation op) {
    Prediction prediction = Prediction.of(workload, op, attention);
    return description(op)
        .put("predicted_s", prediction.seconds())
        .put("launches", prediction.launches());
  }

  /** A line for each kernel of an operation, all its shapes together, with what most of its time waits for. */
  public List<ObjectNode> kernelLines(Operation op) {
    Map<String, Sum> kernels = new LinkedHashMap<>();
    for (KernelWork work : Prediction.of(workload, op, attention).kernels()) {
      kernels.merge(work.name(), Sum.of(work), Sum::plus);
    }
    return kernels.entrySet().stream()
        .map(
            each ->
                description(op)
                    .put("kernel", each.getKey())
                    .put("launches", each.getValue().launches)
                    .put("bytes", each.getValue().bytes)
                    .put("predicted_s", each.getValue().seconds)
                    .put("bound", each.getValue().slowest.bound().name().toLowerCase(Locale.ROOT)))
        .toList();
  }

  private record Sum(double launches, double bytes, double seconds, KernelWork slowest) {
    static Sum of(KernelWork work) {
      return new Sum(work.launches(), work.launches() * work.bytes(), work.seconds(), work);
    }

    Sum plus(Sum other) {
      return new Sum(
          launches + other.launches,
          bytes + other.bytes,
          seconds + other.seconds,
          slowest.seconds() >= other.slowest.seconds() ? slowest : other.slowest);
    }
  }

  private ObjectNode description(Operation op) {
    return StrictJson.newObject()
        .put("op", op.label())
        .put("workload", workload.name())
        .put("batch", workload.batch())
        .put("seq", workload.seq())
        .put("layers", workload.layers())
        .put("device", DEVICE)
        .put("attention", attention == AttentionProducts.WARPS ? "mma.sync" : "wgmma");
  }

  /** What no prediction exists for, or null. */
  public static String refusal(Workload workload, List<Operation> operations) {
    for (Operation op : operations) {
      if (op.block()) {
        return Text.format("--predict knows no '%s': it predicts one vector at a time", op.label());
      }
    }
    int headSize = workload.spec().attention(0).headSize();
    return headSize == 64 || headSize == 128
        ? null
        : Text.format("--predict knows heads of 64 and 128, and those of %s have %d", workload.name(), headSize);
  }
}
