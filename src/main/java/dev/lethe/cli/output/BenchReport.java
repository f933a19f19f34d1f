package dev.lethe.cli.output;

import dev.lethe.Text;
import dev.lethe.backend.Backend;
import dev.lethe.backend.KernelTime;
import dev.lethe.backend.KernelTime.Level;
import dev.lethe.backend.kernel.KernelCost;
import dev.lethe.bench.MachinePeak;
import dev.lethe.bench.Operation;
import dev.lethe.bench.Workload;
import dev.lethe.bench.WorkloadCost;
import dev.lethe.format.StrictJson;
import dev.lethe.session.machine.Machine;
import dev.lethe.session.machine.Versions;
import dev.lethe.tensor.DType;
import java.util.List;
import java.util.Locale;
import tools.jackson.databind.node.ObjectNode;

/** What the bench command prints of its measurements. */
public final class BenchReport {
  private final Workload workload;
  private final boolean cut;
  private final int vectors;
  private final Backend backend;
  private final MachinePeak peak;
  private final String machine;

  /**
   * @param cut whether the number of layers is not the workload's own
   * @param vectors of operations on several
   */
  public BenchReport(Workload workload, boolean cut, int vectors, Backend backend, MachinePeak peak) {
    this.workload = workload;
    this.cut = cut;
    this.vectors = vectors;
    this.backend = backend;
    this.peak = peak;
    boolean own = backend.freeMemory().isPresent(); // a device beside the processor
    this.machine = own ? backend.description() : processor(Machine.current());
  }

  private static String processor(Machine machine) {
    return Text.format("%s, %d processors", machine.cpu(), machine.processors());
  }

  /** The line of an operation: the fields of the PyTorch peer, and rates. */
  public ObjectNode line(Operation op, double medianSeconds, double leastSeconds) {
    WorkloadCost costs = new WorkloadCost(workload);
    DType type = backend.productType();
    ObjectNode json = description(op);
    json.put("median_s", medianSeconds).put("min_s", leastSeconds);
    json.put("tokens_per_s", workload.batch() * (double) workload.seq() / medianSeconds);
    putRates(json, costs.of(op, vectors, type), medianSeconds);
    json.put("peak_flops_per_s", peak.flopsPerSecond());
    json.put("peak_bytes_per_s", peak.bytesPerSecond());
    json.put("weight_bytes", costs.weightBytes(op, type));
    Machine.peakResidentMemory().ifPresent(bytes -> json.put("peak_bytes", bytes));
    json.put("tensor_bytes", backend.memoryUse().peakBytes());
    return json;
  }

  /** A line for each kernel; numbers are those of one run. */
  public List<ObjectNode> kernelLines(Operation op, int runs, List<KernelTime> times) {
    return times.stream()
        .map(
            time -> {
              ObjectNode json = description(op);
              json.put("level", time.level().name().toLowerCase(Locale.ROOT));
              json.put("kernel", time.kernel()).put("launches", time.calls() / (double) runs);
              json.put("kernel_s", time.seconds() / runs).put("share", share(time, times));
              if (time.cost().known()) {
                putRates(json, each(time.cost(), runs), time.seconds() / runs);
              }
              return json;
            })
        .toList();
  }

  /** The same for people. */
  public String kernelTable(Operation op, int runs, List<KernelTime> times) {
    StringBuilder table = new StringBuilder();
    for (Level level : Level.values()) {
      List<KernelTime> rows = times.stream().filter(time -> time.level() == level).toList();
      if (!rows.isEmpty()) {
        table.append(
            Text.format(
                "%n%-44s %9s %11s %6s %9s %8s%n",
                op.label() + (level == Level.CALL ? ", calls" : ", launches"),
                "a run", "ms", "%", "GFLOP/s", "GB/s"));
        rows.forEach(time -> table.append(row(time, runs, share(time, times))));
      }
    }
    return table.toString();
  }

  private static String row(KernelTime time, int runs, double share) {
    return Text.format(
        "%-44s %9.1f %11.3f %6.1f %9s %8s%n",
        time.kernel(),
        time.calls() / (double) runs,
        1e3 * time.seconds() / runs,
        100 * share,
        rate(time.cost().flops(), time.seconds()),
        rate(time.cost().bytes(), time.seconds()));
  }

  private static String rate(double amount, double seconds) {
    return amount > 0 && seconds > 0
        ? Text.format("%.2f", amount / seconds / 1e9)
        : "-";
  }

  /** Of all kernels of its level. */
  private static double share(KernelTime time, List<KernelTime> times) {
    double all =
        times.stream()
            .filter(other -> other.level() == time.level())
            .mapToDouble(KernelTime::seconds)
            .sum();
    return all > 0 ? time.seconds() / all : 0;
  }

  private static KernelCost each(KernelCost cost, int runs) {
    return new KernelCost(cost.flops() / runs, cost.bytes() / runs);
  }

  private void putRates(ObjectNode json, KernelCost cost, double seconds) {
    json.put("flops", cost.flops()).put("bytes", cost.bytes());
    if (seconds > 0) {
      json.put("flops_per_s", cost.flops() / seconds).put("bytes_per_s", cost.bytes() / seconds);
      json.put("peak_share", cost.flops() / seconds / peak.flopsPerSecond());
      json.put("bandwidth_share", cost.bytes() / seconds / peak.bytesPerSecond());
    }
  }

  private ObjectNode description(Operation op) {
    ObjectNode json = StrictJson.newObject();
    json.put("peer", "lethe " + Versions.current().lethe()).put("machine", machine);
    json.put("workload", workload.name()).put("device", backend.name());
    json.put("dtype", dtype(backend.productType()));
    json.put("batch", workload.batch()).put("seq", workload.seq());
    if (cut) {
      json.put("layers", workload.layers());
    }
    return json.put("op", op.label()).put("way", op.way(vectors));
  }

  /** The peer's names of formats. */
  private static String dtype(DType type) {
    return switch (type) {
      case F64 -> "fp64";
      case BF16 -> "bf16";
      default -> "fp32";
    };
  }
}
