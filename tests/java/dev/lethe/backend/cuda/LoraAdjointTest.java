package dev.lethe.backend.cuda;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.lethe.autograd.Adjoints;
import dev.lethe.autograd.Gradients;
import dev.lethe.autograd.Linearization;
import dev.lethe.backend.Backend;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.nn.AdaptedModel;
import dev.lethe.nn.Batch;
import dev.lethe.nn.LanguageModel;
import dev.lethe.nn.LoraAdapter;
import dev.lethe.nn.TinyModels;
import dev.lethe.nn.TinyModels.Dims;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** That a model's gradients and Hessian products read the adjoints of linear layers once, counted in the emulator. */
final class LoraAdjointTest {
  private static final long SEED = 20_261_202;
  private static final int HIDDEN = 64;
  private static final int KEYS = 32;
  private static final int FEED_FORWARD = 528;
  private static final int RANK = 8;
  private static final int TOKENS = 20;
  private static final int SAMPLES = 2;

  @TempDir Path dir;

  @Test
  void adjointsAreReadOnceForHAndForTheGradientOfB() {
    EmulatedDevice device = EmulatedDevice.open();
    Dims dims = new Dims(1, HIDDEN, FEED_FORWARD, HIDDEN / KEYS, 1, 23, 300, "");
    Path folder = TinyModels.writeFolder(dir, dims, SEED);
    try (Backend backend = EmulatedBackends.on(device, DType.BF16);
        HfModelFolder files = HfModelFolder.open(folder);
        LanguageModel model = LanguageModel.open(files, backend);
        LoraAdapter adapter = TinyModels.adapter(model, RANK, 2 * RANK, TinyModels.ALL_TARGETS, SEED);
        Batch batch = Batch.of(TinyModels.samples(SAMPLES, 23, TOKENS, TOKENS, SEED), backend);
        Scope scope = backend.openScope("traffic")) {
      AdaptedModel adapted = new AdaptedModel(model, adapter);
      Tensor v = scope.allocate(DType.F32, 1, adapter.theta().elements());
      Tensor g = scope.allocate(DType.F32, 1, adapter.theta().elements());
      backend.vectors().fill(v, 0.5);
      backend.vectors().fill(g, 0);
      Gradients.addGradient(backend, adapted.tape(batch), adapter.theta(), 1, g.row(0));
      try (Linearization at = new Linearization(backend, adapted.tape(batch), adapter.theta(), Adjoints.ALL)) {
        at.addHvp(v, 1, g);
      }
      assertAll(
          () -> assertEquals(pieces(device, 1), device.traffic("lora_adjoint_bf16").loads(), "a gradient's pieces"),
          () ->
              assertEquals(
                  pieces(device, 2), device.traffic("lora_adjoint_tangent_bf16").loads(), "a product's pieces"));
    }
  }

  private static long pieces(EmulatedDevice device, int terms) {
    long rows = SAMPLES * (TOKENS - 1);
    return Stream.of(List.of(HIDDEN, KEYS, KEYS), List.of(HIDDEN), List.of(FEED_FORWARD, FEED_FORWARD), List.of(HIDDEN))
        .mapToLong(outs -> new AdjointTraffic(outs, RANK, rows, device.multiprocessors()).pieces(terms))
        .sum();
  }
}
