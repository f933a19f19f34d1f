package dev.lethe.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.LetheException;
import dev.lethe.RealData;
import dev.lethe.backend.Backend;
import dev.lethe.format.huggingface.HfModelFolder;
import dev.lethe.nn.TinyModels.Dims;
import dev.lethe.nn.TinyModels.Tiny;
import dev.lethe.tensor.Scope;
import dev.lethe.tokenizer.HfTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Generation with the cache is generation without it, and sampling does what its options say. */
class GeneratorTest {
  private static final long SEED = 8;
  private static final int[] PROMPT = {1, 17, 4};

  @TempDir Path dir;

  @ParameterizedTest
  @MethodSource("dev.lethe.nn.TestBackends#names")
  void theCacheChangesNoToken(String device) {
    try (Backend backend = TestBackends.open(device);
        Tiny tiny = TinyModels.open(dir, Dims.DEFAULT, backend, SEED);
        LoraAdapter adapter =
            TinyModels.adapter(tiny.model(), 2, 4, TinyModels.ALL_TARGETS, SEED)) {
      AdaptedModel adapted = new AdaptedModel(tiny.model(), adapter);
      for (double temperature : new double[] {0, 1.3}) {
        GenerationOptions options = new GenerationOptions(40, temperature, 0.9, SEED, new int[0]);
        int[] cached = new Generator(adapted, 64).generate(PROMPT, options, token -> true);
        assertEquals(40, cached.length);
        assertArrayEquals(withoutCache(adapted, options), cached);
      }
    }
  }

  private static int[] withoutCache(AdaptedModel adapted, GenerationOptions options) {
    TokenSampler sampler = new TokenSampler(options);
    int[] all = PROMPT.clone();
    for (int i = 0; i < options.maxNewTokens(); i++) {
      double[] logits = adapted.logits(all)[all.length - 1];
      int next = options.temperature() == 0 ? likeliest(logits) : sampler.next(logits);
      all = Arrays.copyOf(all, all.length + 1);
      all[all.length - 1] = next;
    }
    return Arrays.copyOfRange(all, PROMPT.length, all.length);
  }

  private static int likeliest(double[] logits) {
    return IntStream.range(0, logits.length)
        .reduce(0, (best, id) -> logits[id] > logits[best] ? id : best);
  }

  @ParameterizedTest
  @MethodSource("dev.lethe.nn.TestBackends#names")
  void anyCutOfTheInputGivesTheSameLogits(String device) {
    int[] ids = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5};
    try (Backend backend = TestBackends.open(device);
        Tiny tiny = TinyModels.open(dir, Dims.DEFAULT, backend, SEED)) {
      AdaptedModel bare = new AdaptedModel(tiny.model(), null);
      DecoderPass pass = new DecoderPass(bare);
      double[][] whole = bare.logits(ids);
      try (Scope scope = backend.openScope("test");
          KeyValueCache cache = new KeyValueCache(tiny.model(), 20)) {
        pass.hidden(Arrays.copyOfRange(ids, 0, 4), cache, scope);
        var rest = pass.hidden(Arrays.copyOfRange(ids, 4, 11), cache, scope);
        for (int i = 0; i < 7; i++) {
          double error = Golden.relative(pass.logits(rest.slice(i, 1)), whole[4 + i]);
          assertTrue(error < TestBackends.bound(device), "row " + i + " differs by " + error);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("dev.lethe.nn.TestBackends#names")
  void storiesAreToldAsByTheOriginalProgram(String device) throws IOException {
    Path path = RealData.require("stories260K");
    String expected = Files.readString(path.resolve("expected_greedy_200.txt"));
    try (Backend backend = TestBackends.open(device);
        HfModelFolder folder = HfModelFolder.open(path);
        LanguageModel model = LanguageModel.open(folder, backend);
        HfTokenizer tokenizer = HfTokenizer.open(path)) {
      int[] tokens =
          new Generator(new AdaptedModel(model, null), Long.MAX_VALUE)
              .generate(
                  new int[] {model.spec().bosId()}, GenerationOptions.greedy(200), token -> true);
      assertEquals(expected.strip(), tokenizer.decode(tokens).strip());
    }
  }

  @Test
  void generationEndsWhereItShould() {
    try (Backend backend = TestBackends.open(TestBackends.REFERENCE);
        Tiny tiny = TinyModels.open(dir, Dims.DEFAULT.withMaxPositions(12), backend, SEED)) {
      AdaptedModel bare = new AdaptedModel(tiny.model(), null);
      Generator generator = new Generator(bare, Long.MAX_VALUE);
      int[] free = generator.generate(PROMPT, GenerationOptions.greedy(100), token -> true);
      assertEquals(12 - PROMPT.length, free.length, "the context is full");
      int stop = free[5];
      int first = 0;
      while (free[first] != stop) {
        first++;
      }
      assertArrayEquals(
          Arrays.copyOf(free, first),
          generator.generate(PROMPT, GenerationOptions.greedy(100, stop), token -> true));
      assertEquals(
          1, generator.generate(PROMPT, GenerationOptions.greedy(100), token -> false).length);
      assertEquals(0, generator.generate(PROMPT, GenerationOptions.greedy(0), t -> true).length);
      assertEquals(
          2,
          new Generator(bare, 5).generate(PROMPT, GenerationOptions.greedy(9), t -> true).length);
      assertRefuses(generator, "prompt: has no tokens");
      assertRefuses(generator, "at most 12 tokens", new int[13]);
      assertRefuses(generator, "0 to 22", 1, 23);
    }
  }

  private static void assertRefuses(Generator generator, String says, int... prompt) {
    GenerationOptions options = GenerationOptions.greedy(1);
    LetheException e =
        assertThrows(LetheException.class, () -> generator.generate(prompt, options, t -> true));
    assertTrue(e.getMessage().contains(says), e.getMessage());
  }

  @Test
  void samplingFollowsTheProbabilities() {
    double[] logits = {Math.log(0.5), Math.log(0.1), Math.log(0.3), Math.log(0.1)};
    assertFrequencies(new double[] {0.5, 0.1, 0.3, 0.1}, logits, 1, 1);
    assertFrequencies(new double[] {5.0 / 8, 0, 3.0 / 8, 0}, logits, 1, 0.7);
    assertFrequencies(new double[] {1, 0, 0, 0}, logits, 1, 0.4);
    double hot = Math.sqrt(0.5) + 2 * Math.sqrt(0.1) + Math.sqrt(0.3);
    double rare = Math.sqrt(0.1) / hot;
    assertFrequencies(
        new double[] {Math.sqrt(0.5) / hot, rare, Math.sqrt(0.3) / hot, rare}, logits, 2, 1);
  }

  private static void assertFrequencies(
      double[] expected, double[] logits, double temperature, double topP) {
    int draws = 20_000;
    TokenSampler sampler =
        new TokenSampler(new GenerationOptions(1, temperature, topP, SEED, new int[0]));
    double[] seen = new double[logits.length];
    for (int i = 0; i < draws; i++) {
      seen[sampler.next(logits)] += 1.0 / draws;
    }
    assertArrayEquals(expected, seen, 0.015, "seed " + SEED);
    for (int id = 0; id < seen.length; id++) {
      assertFalse(expected[id] == 0 && seen[id] > 0, "token " + id + " is not in the nucleus");
    }
  }
}
