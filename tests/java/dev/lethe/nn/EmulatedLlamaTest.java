package dev.lethe.nn;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.autograd.Linearization;
import dev.lethe.backend.Backend;
import dev.lethe.backend.cuda.EmulatedBackends;
import dev.lethe.backend.reference.ReferenceBackend;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.format.safetensors.SafeTensors;
import dev.lethe.nn.TinyModels.Dims;
import dev.lethe.tensor.DType;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** All derivatives of a whole Llama by the emulated CUDA kernels, against float64. */
class EmulatedLlamaTest {
  private static final long SEED = 20_261_126;
  private static final Dims DIMS = new Dims(2, 64, 48, 2, 1, 23, 64, "");

  private static final double LINEAR = 0.3;

  @TempDir Path dir;

  @ParameterizedTest(name = "{0}")
  @CsvSource({"F32, 1e-5", "BF16, 6e-2"})
  void derivativesAgreeWithTheReference(DType type, double bound) {
    Map<String, double[]> expected;
    Map<String, double[]> got;
    try (Backend reference = new ReferenceBackend()) {
      expected = derivatives(reference);
    }
    try (Backend emulated = EmulatedBackends.open(type)) {
      got = derivatives(emulated);
    }
    for (String what : expected.keySet()) {
      double error = Golden.relative(got.get(what), expected.get(what));
      assertTrue(
          error <= bound,
          () -> "%s in %s, seed %d: %.2e from float64, allowed %.0e".formatted(what, type, SEED, error, bound));
    }
  }

  private Map<String, double[]> derivatives(Backend backend) {
    Map<String, double[]> results = new LinkedHashMap<>();
    try (HfModelFolder folder = HfModelFolder.open(writeFolder());
        LanguageModel model = LanguageModel.open(folder, backend);
        LoraAdapter adapter = TinyModels.adapter(model, 4, 1, TinyModels.ALL_TARGETS, SEED);
        Batch batch = Batch.of(TinyModels.samples(3, 23, 5, 21, SEED), backend);
        Scope scope = backend.openScope("derivatives")) {
      AdaptedModel adapted = new AdaptedModel(model, adapter);
      Tensor v = scope.allocate(backend.vectorType(), 2, adapter.theta().elements());
      TinyModels.randomize(backend, v, 0.1, SEED + 1);
      try (Linearization at =
          new Linearization(backend, adapted.tape(batch), adapter.theta())) {
        results.put("losses", at.losses());
        results.put("gradient", host(backend, at.gradient(scope)));
        results.put("per-sample gradients", host(backend, at.perSampleGradients(scope)));
        results.put("Hessian products", host(backend, at.hvp(v, scope)));
        results.put("Gauss-Newton products", host(backend, at.ggn(v, scope)));
      }
    }
    return results;
  }

  /** Linear layers that keep their input's size, in numbers that both formats hold exactly. */
  private Path writeFolder() {
    Map<String, Tensor> weights = TinyModels.weights(DIMS, SEED);
    for (Tensor weight : weights.values()) {
      double factor = weight.shape().rank() == 2 ? LINEAR : 1;
      for (long i = 0; i < weight.elements(); i++) {
        float value = (float) (factor * weight.get(i));
        weight.set(i, DType.bf16ToFloat(DType.floatToBf16(value)));
      }
    }
    TinyModels.writeConfig(dir, DIMS);
    SafeTensors.write(dir.resolve("model.safetensors"), weights, Map.of());
    return dir;
  }

  private static double[] host(Backend backend, Tensor tensor) {
    double[] values = new double[Math.toIntExact(tensor.elements())];
    backend.download(tensor, Tensor.of(tensor.shape(), values));
    return values;
  }
}
