package dev.lethe.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.backend.KernelTime;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.LoraAdapter;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The work that operations are said to need against the products that kernels are called for. */
class CountedWorkTest {
  private static final int VECTORS = 3;
  private static final List<String> QV = List.of("q_proj", "v_proj");

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void kernelsAreCalledForWhatTheShapesSay(boolean everywhere) {
    Workload micro = Workload.KNOWN.getFirst();
    Workload workload =
        everywhere
            ? micro.sized(2, 9, 2)
            : new Workload("odd", 24, 3, 4, 2, 40, 37, 3, 6, QV, 2, 7);
    workload.write(folder, 1);
    WorkloadCost costs = new WorkloadCost(workload);
    try (Backend backend = Backends.select("reference", new BackendOptions(1, null, -1, true));
        HfModelFolder files = HfModelFolder.open(folder);
        LanguageModel model = LanguageModel.open(files, backend);
        LoraAdapter adapter = LoraAdapter.create(workload.adapterConfig(), model, 1);
        WorkloadBench bench = new WorkloadBench(workload, new AdaptedModel(model, adapter), 1)) {
      for (Operation op : Operation.values()) {
        bench.prepare(
            op,
            VECTORS,
            work -> {
              backend.takeKernelTimes();
              work.run();
              double flops = 0;
              double bytes = 0;
              for (KernelTime time : backend.takeKernelTimes()) {
                flops += time.cost().flops();
                bytes += time.cost().bytes();
              }
              double least = costs.flops(op, VECTORS);
              assertEquals(least, flops, 1e-9 * least, op.label());
              double floor = costs.bytes(op, VECTORS, backend.activationType());
              assertTrue(bytes > floor, op + ": kernels move less than the least, " + floor);
            });
      }
    }
  }
}
