package dev.lethe.jmh;

import dev.lethe.chart.LineChart;
import dev.lethe.format.StrictJson;
import dev.lethe.format.file.AtomicFiles;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.function.LongSupplier;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Measures how time and memory of every derivative grow with tokens, sequence length, layers, rank, vectors and
 * threads, on the CPU backend: processor time of one thread, but for the axis of threads. Arguments: the folder for
 * scaling-*.json and the charts scaling-*.svg, then the names of axes; none: all.
 */
public final class ScalingStudy {
  private static final String DEVICE = "cpu";
  private static final String SUBTITLE =
      "Llama of 4 layers, width 192, 2048 words; all linear layers adapted, rank 8; 4 × 64 tokens unless varied";
  private static final long WARM_UP_NANOS = 15_000_000_000L;
  private static final long LEAST_NANOS = 300_000_000L;
  private static final int LEAST_RUNS = 5;

  private ScalingStudy() {}

  /** Runs all of it: about three minutes. */
  public static void main(String[] args) throws IOException {
    Path folder = Files.createDirectories(Path.of(args[0]));
    List<String> wanted = List.of(args).subList(1, args.length);
    warmUp();
    for (ScalingAxis axis : ScalingAxis.all()) {
      if (!wanted.isEmpty() && !wanted.contains(axis.name())) {
        continue;
      }
      List<ScalingSeries> series =
          axis.operations().stream().map(operation -> measure(axis, operation)).toList();
      series.forEach(s -> System.out.println(s.summary()));
      String file = "scaling-" + axis.name();
      time(axis, series).write(folder.resolve(file + "-time.svg"));
      memory(axis, series).write(folder.resolve(file + "-memory.svg"));
      AtomicFiles.writeText(folder.resolve(file + ".json"), StrictJson.write(json(axis, series)));
    }
  }

  /** The vector kernels need seconds until they are compiled. */
  private static void warmUp() {
    try (ModelFixture model = new ModelFixture(ModelSize.SMALL.withVectors(2), DEVICE, 0)) {
      long begun = System.nanoTime();
      while (System.nanoTime() - begun < WARM_UP_NANOS) {
        Measured.ONE_VECTOR.forEach(operation -> operation.run(model));
      }
    }
  }

  private static ScalingSeries measure(ScalingAxis axis, Measured operation) {
    int count = axis.values().size();
    double[] seconds = new double[count];
    double[] bytes = new double[count];
    for (int i = 0; i < count; i++) {
      int value = axis.values().get(i);
      try (ModelFixture model =
          new ModelFixture(axis.size().apply(value), DEVICE, axis.threads().apply(value))) {
        long before = model.backend().memoryUse().liveBytes();
        seconds[i] = leastSeconds(operation, model, axis.clock());
        bytes[i] = model.backend().memoryUse().peakBytes() - before;
      }
    }
    double[] x = axis.values().stream().mapToDouble(Integer::doubleValue).toArray();
    return new ScalingSeries(axis, operation, x, seconds, bytes);
  }

  /** The least of many runs: what else the machine does only adds. */
  private static double leastSeconds(
      Measured operation, ModelFixture model, LongSupplier clock) {
    operation.run(model);
    long least = Long.MAX_VALUE;
    long begun = System.nanoTime();
    for (int i = 0; i < LEAST_RUNS || System.nanoTime() - begun < LEAST_NANOS; i++) {
      long start = clock.getAsLong();
      operation.run(model);
      least = Math.min(least, clock.getAsLong() - start);
    }
    return least * 1e-9;
  }

  private static LineChart time(ScalingAxis axis, List<ScalingSeries> series) {
    return chart("Time against " + axis.name(), axis, "milliseconds, least of many runs", axis.ideal(), 1e3,
        series, ScalingSeries::seconds);
  }

  private static LineChart memory(ScalingAxis axis, List<ScalingSeries> series) {
    return chart("Memory of tensors against " + axis.name(), axis, "MB", Math.max(0, axis.ideal()),
        1e-6, series, ScalingSeries::bytes);
  }

  private static LineChart chart(
      String title,
      ScalingAxis axis,
      String unit,
      int exponent,
      double scale,
      List<ScalingSeries> series,
      Function<ScalingSeries, double[]> values) {
    List<LineChart.Line> lines =
        series.stream()
            .map(
                s ->
                    new LineChart.Line(
                        s.operation().label(),
                        s.x(),
                        Arrays.stream(values.apply(s)).map(v -> scale * v).toArray()))
            .toList();
    return new LineChart(title, SUBTITLE, axis.label(), unit, exponent, lines);
  }

  private static ObjectNode json(ScalingAxis axis, List<ScalingSeries> all) {
    ObjectNode root = StrictJson.newObject();
    root.put("axis", axis.name()).put("label", axis.label());
    axis.values().forEach(root.putArray("x")::add);
    ArrayNode list = root.putArray("series");
    for (ScalingSeries series : all) {
      ObjectNode json = list.addObject();
      json.put("operation", series.operation().label());
      Arrays.stream(series.seconds()).forEach(json.putArray("seconds")::add);
      Arrays.stream(series.bytes()).forEach(json.putArray("tensor_bytes")::add);
    }
    return root;
  }
}
