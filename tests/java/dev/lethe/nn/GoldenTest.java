package dev.lethe.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.autograd.Linearization;
import dev.lethe.backend.Backend;
import dev.lethe.data.Sample;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Everything that is computed against PyTorch and PEFT in true float64: tiny models of all
 * families, and a trained one where its files are at hand.
 */
class GoldenTest {
  /** ⟨g,v⟩ cancels, so that its relative error is a few times that of g. */
  private static final double DOTS = 3;

  private static final String STORIES = "stories_lora";
  private static final List<String> CASES =
      List.of(
          "llama3_rope",
          "linear_rope",
          "mistral_sliding_window",
          "qwen2_bias",
          "untied",
          "rslora",
          "patterns",
          "head_dim",
          "gpt2",
          "gpt2_gelu",
          "phi3",
          "phi4_mini",
          "qwen3",
          "olmo2",
          "gemma3",
          "saved_modules",
          "saved_embedding",
          "targeted_embedding",
          STORIES);

  static Stream<Arguments> cases() {
    return TestBackends.names().flatMap(b -> CASES.stream().map(c -> Arguments.of(b, c)));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void logits(String device, String name) {
    run(
        device,
        name,
        (golden, bound) -> {
          Sample row = golden.samples.getFirst();
          double[][] logits = golden.adapted.logits(row.inputIds());
          double[] flat = Stream.of(logits).flatMapToDouble(Arrays::stream).toArray();
          assertBelow(bound, Golden.relative(flat, golden.logits().toDoubles()), "logits");
        });
  }

  @ParameterizedTest
  @MethodSource("cases")
  void losses(String device, String name) {
    linearized(
        device,
        name,
        (golden, at, scope, bound) -> {
          double[] expected = Golden.doubles(golden.json.at("/true_float64/losses"));
          assertBelow(bound, Golden.relative(at.losses(), expected), "losses");
        });
  }

  @ParameterizedTest
  @MethodSource("cases")
  void gradient(String device, String name) {
    linearized(
        device,
        name,
        (golden, at, scope, bound) ->
            assertBelow(bound, golden.error("gradient", at.gradient(scope)), "gradient"));
  }

  @ParameterizedTest
  @MethodSource("cases")
  void products(String device, String name) {
    linearized(
        device,
        name,
        (golden, at, scope, bound) -> {
          Tensor v = golden.direction(0, scope);
          assertBelow(bound, golden.error("hvp0", at.hvp(v, scope).row(0)), "Hessian");
          assertBelow(bound, golden.error("ggn0", at.ggn(v, scope).row(0)), "Gauss-Newton");
          assertBelow(DOTS * bound, golden.error("fisher0", at.fisher(v, scope).row(0)), "Fisher");
          double[] dots = new double[at.samples()];
          for (int i = 0; i < dots.length; i++) {
            dots[i] =
                golden.json.at("/true_float64/per_sample_dot_vectors/" + i + "/0").doubleValue();
          }
          assertBelow(DOTS * bound, Golden.relative(at.jvp(v)[0], dots), "tangent");
        });
  }

  @ParameterizedTest
  @MethodSource("cases")
  void perSampleGradients(String device, String name) {
    linearized(
        device,
        name,
        (golden, at, scope, bound) -> {
          Backend backend = golden.model.backend();
          Tensor each = at.perSampleGradients(scope);
          for (int i = 0; i < at.samples(); i++) {
            for (int j = 0; j < at.samples(); j++) {
              String place = "/true_float64/per_sample_gram/" + i + "/" + j;
              double norms =
                  golden.json.at("/true_float64/per_sample_norms/" + i).doubleValue()
                      * golden.json.at("/true_float64/per_sample_norms/" + j).doubleValue();
              double gram = backend.vectors().dot(each.row(i), each.row(j));
              double expected = golden.json.at(place).doubleValue();
              assertBelow(bound, Math.abs(gram - expected) / norms, place);
            }
          }
          Map<String, Tensor> named = golden.adapter.layout().rowsToHost(backend, each);
          golden
              .kind("per_sample")
              .forEach(
                  (key, expected) ->
                      assertBelow(
                          bound,
                          Golden.relative(named.get(key).toDoubles(), expected.toDoubles()),
                          key));
        });
  }

  @ParameterizedTest
  @MethodSource("cases")
  void greedyTokens(String device, String name) {
    run(
        device,
        name,
        (golden, bound) -> {
          int[] prompt = Golden.ints(golden.json.at("/greedy/prompt"));
          int[] expected = Golden.ints(golden.json.at("/greedy/tokens"));
          int[] got =
              new Generator(golden.adapted, Long.MAX_VALUE)
                  .generate(prompt, GenerationOptions.greedy(expected.length), token -> true);
          assertArrayEquals(expected, got);
        });
  }

  private static void linearized(String device, String name, LinearizedCheck check) {
    run(
        device,
        name,
        (golden, bound) -> {
          Backend backend = golden.model.backend();
          try (Batch batch = Batch.of(golden.samples, backend);
              Scope scope = backend.openScope("golden test");
              Linearization at =
                  new Linearization(backend, golden.adapted.tape(batch), golden.adapter.theta())) {
            assertEquals(golden.samples.size(), at.samples());
            check.accept(golden, at, scope, bound);
          }
        });
  }

  private static void run(String device, String name, Check check) {
    try (Backend backend = TestBackends.open(device);
        Golden golden =
            name.equals(STORIES) ? Golden.stories(backend) : Golden.variant(name, backend)) {
      check.accept(golden, TestBackends.bound(device));
    }
  }

  private static void assertBelow(double bound, double error, String what) {
    assertTrue(error <= bound, what + " differs by " + error + ", bound " + bound);
  }

  @FunctionalInterface
  private interface Check {
    void accept(Golden golden, double bound);
  }

  @FunctionalInterface
  private interface LinearizedCheck {
    void accept(Golden golden, Linearization at, Scope scope, double bound);
  }
}
