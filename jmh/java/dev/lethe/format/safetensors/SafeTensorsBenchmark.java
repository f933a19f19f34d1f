package dev.lethe.format.safetensors;

import dev.lethe.jmh.BenchmarkFolder;
import dev.lethe.jmh.Counters;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.HostAllocator;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Shape;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Claim: opening a safetensors file costs its header only, whatever its size, and reading all of it runs at the
 * speed of memory once the file is in the system's cache.
 */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 3, time = 700, timeUnit = TimeUnit.MILLISECONDS)
@Fork(1)
@State(org.openjdk.jmh.annotations.Scope.Benchmark)
public class SafeTensorsBenchmark {
  private static final int TENSORS = 64;
  private static final Shape SHAPE = Shape.of(512, 512);

  private final HostAllocator memory = new HostAllocator();
  private final Scope scope = Scope.open("benchmark", memory);
  private BenchmarkFolder dir;
  private Path file;
  private Tensor target;

  @Setup
  public void write() {
    dir = BenchmarkFolder.make();
    file = dir.path().resolve("model.safetensors");
    target = scope.allocate(DType.F32, SHAPE);
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    for (int i = 0; i < TENSORS; i++) {
      tensors.put("model.layers.%d.weight".formatted(i), target);
    }
    SafeTensors.write(file, tensors, Map.of("format", "pt"));
  }

  @TearDown
  public void close() {
    scope.close();
    memory.close();
    dir.close();
  }

  @Benchmark
  public int open() {
    try (SafeTensors tensors = SafeTensors.open(file)) {
      return tensors.names().size();
    }
  }

  @Benchmark
  public void load(Counters.Bytes work) {
    try (SafeTensors tensors = SafeTensors.open(file)) {
      for (String name : tensors.names()) {
        target.copyFrom(tensors.get(name));
        work.bytes += target.byteSize();
      }
    }
  }
}
