package dev.lethe.nn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.autograd.GradCheck;
import dev.lethe.autograd.Gradients;
import dev.lethe.autograd.Linearization;
import dev.lethe.autograd.Tape;
import dev.lethe.backend.Backend;
import dev.lethe.data.Sample;
import dev.lethe.format.peft.PeftAdapterConfig;
import dev.lethe.nn.TinyModels.Dims;
import dev.lethe.nn.TinyModels.Tiny;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Derivatives of a tiny Llama in float64, against differences that know nothing of the rules. */
class CurvatureTest {
  private static final long SEED = 20260;
  private static final double DIFFERENCE = 1e-6;
  private static final double IDENTITY = 1e-12;

  private static final Dims SMALLER = new Dims(2, 6, 5, 3, 1, 11, 64, "");

  @TempDir Path dir;

  static Stream<Arguments> adapters() {
    PeftAdapterConfig all = config(2, TinyModels.ALL_TARGETS);
    return Stream.of(
        Arguments.of("q only", config(2, List.of("q_proj"))),
        Arguments.of("v and down", config(3, List.of("v_proj", "down_proj"))),
        Arguments.of("k and gate and up", config(1, List.of("k_proj", "gate_proj", "up_proj"))),
        Arguments.of("o only", config(2, List.of("o_proj"))),
        Arguments.of("all seven", all),
        Arguments.of(
            "not in the lowest layer", config(2, List.of("1.mlp.up_proj", "1.self_attn.k_proj"))),
        Arguments.of(
            "lowest layer only", config(2, List.of("0.self_attn.o_proj", "0.mlp.gate_proj"))),
        Arguments.of("rank-stabilised", all.withPatterns(Map.of(), Map.of(), true)),
        Arguments.of(
            "ranks and alphas by pattern",
            all.withPatterns(
                Map.of("q_proj", 3, "layers.1.mlp.down_proj", 1), Map.of("v_proj", 5.0), false)));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("adapters")
  void everyDerivativeHolds(String name, PeftAdapterConfig config) {
    try (Setup s = new Setup(dir, config);
        Batch batch = Batch.of(TinyModels.samples(3, 23, 4, 9, SEED), s.backend)) {
      Tape tape = s.adapted.tape(batch);
      for (GradCheck.Check check : GradCheck.check(s.backend, tape, s.adapter.theta(), SEED)) {
        double bound = check.name().contains("differences") ? DIFFERENCE : IDENTITY;
        assertTrue(check.error() < bound, name + ", seed " + SEED + ": " + check);
      }
    }
  }

  @Test
  void trainingTapesHaveRightDerivativesToo() {
    PeftAdapterConfig config = PeftAdapterConfig.create(2, 4, 0.4, TinyModels.ALL_TARGETS, "tiny");
    try (Setup s = new Setup(dir, config);
        Batch batch = Batch.of(TinyModels.samples(3, 23, 4, 9, SEED), s.backend)) {
      Tape tape = s.adapted.trainingTape(batch, 78);
      for (GradCheck.Check check : GradCheck.check(s.backend, tape, s.adapter.theta(), SEED)) {
        double bound = check.name().contains("differences") ? DIFFERENCE : IDENTITY;
        assertTrue(check.error() < bound, "dropout, seed " + SEED + ": " + check);
      }
    }
  }

  @Test
  void hessianProductsAreThoseOfTheDenseHessian() {
    try (Setup s = new Setup(dir, SMALLER, config(1, TinyModels.ALL_TARGETS));
        Batch batch = Batch.of(TinyModels.samples(2, 11, 4, 6, SEED), s.backend)) {
      Tape tape = s.adapted.tape(batch);
      double[][] dense = s.jacobian(() -> s.gradient(tape));
      s.assertProducts(dense, tape, "Hessian");
    }
  }

  @Test
  void gaussNewtonProductsAreThoseOfTheDenseMatrix() {
    List<Sample> samples = TinyModels.samples(2, 11, 4, 6, SEED);
    try (Setup s = new Setup(dir, SMALLER, config(1, TinyModels.ALL_TARGETS));
        Batch batch = Batch.of(samples, s.backend)) {
      int size = Math.toIntExact(s.adapter.layout().size());
      double[][] dense = new double[size][size];
      for (Sample sample : samples) {
        double weight = 1.0 / (sample.supervised() * samples.size());
        double[][] jacobian = s.jacobian(() -> s.supervisedLogits(sample)); // (P,M·V)
        double[] logits = s.supervisedLogits(sample);
        int vocabulary = Math.toIntExact(s.tiny.model().spec().vocabulary());
        for (int from = 0; from < logits.length; from += vocabulary) {
          double[] p = softmax(Arrays.copyOfRange(logits, from, from + vocabulary));
          addOuter(dense, jacobian, from, p, weight);
        }
      }
      s.assertProducts(dense, s.adapted.tape(batch), "Gauss-Newton");
    }
  }

  private static PeftAdapterConfig config(int rank, List<String> targets) {
    return PeftAdapterConfig.create(rank, 3, 0, targets, "tiny");
  }

  /** dense += weight·J(diag p − ppᵀ)Jᵀ, J (P,V) the columns from a first one on. */
  private static void addOuter(
      double[][] dense, double[][] jacobian, int from, double[] p, double weight) {
    double[] means = new double[jacobian.length];
    for (int i = 0; i < means.length; i++) {
      for (int id = 0; id < p.length; id++) {
        means[i] += p[id] * jacobian[i][from + id];
      }
    }
    for (int i = 0; i < means.length; i++) {
      for (int j = 0; j < means.length; j++) {
        double sum = -means[i] * means[j];
        for (int id = 0; id < p.length; id++) {
          sum += p[id] * jacobian[i][from + id] * jacobian[j][from + id];
        }
        dense[i][j] += weight * sum;
      }
    }
  }

  private static double[] softmax(double[] logits) {
    double[] p = logits.clone();
    double sum = 0;
    for (int id = 0; id < p.length; id++) {
      p[id] = Math.exp(p[id]);
      sum += p[id];
    }
    for (int id = 0; id < p.length; id++) {
      p[id] /= sum;
    }
    return p;
  }

  /** A tiny model with an adapter on the reference backend. */
  private static final class Setup implements AutoCloseable {
    /** Steps whose Richardson extrapolation leaves an error of order h⁸. */
    private static final double[] STEPS = {0.006, 0.003, 0.0015, 0.00075};

    final Backend backend = TestBackends.open(TestBackends.REFERENCE);
    final Tiny tiny;
    final LoraAdapter adapter;
    final AdaptedModel adapted;

    Setup(Path dir, PeftAdapterConfig config) {
      this(dir, Dims.DEFAULT, config);
    }

    Setup(Path dir, Dims dims, PeftAdapterConfig config) {
      tiny = TinyModels.open(dir, dims, backend, SEED);
      adapter = TinyModels.adapter(config, tiny.model(), SEED);
      adapted = new AdaptedModel(tiny.model(), adapter);
    }

    double[] supervisedLogits(Sample sample) {
      double[][] logits = adapted.logits(sample.inputIds());
      return IntStream.range(1, sample.length())
          .filter(t -> sample.labels()[t] != Sample.IGNORED)
          .mapToObj(t -> logits[t - 1])
          .flatMapToDouble(Arrays::stream)
          .toArray();
    }

    double[] gradient(Tape tape) {
      try (Scope scope = backend.openScope("gradient")) {
        Tensor g = scope.allocate(backend.vectorType(), adapter.layout().size());
        backend.vectors().fill(g, 0);
        Gradients.addGradient(backend, tape, adapter.theta(), 1.0 / tape.packing().count(), g);
        return HostTensors.doubles(backend, g);
      }
    }

    /** Row i: the derivative of f by parameter i, by extrapolated central differences. */
    double[][] jacobian(Supplier<double[]> f) {
      double[][] rows = new double[Math.toIntExact(adapter.layout().size())][];
      for (int i = 0; i < rows.length; i++) {
        double[][] table = new double[STEPS.length][];
        for (int s = 0; s < STEPS.length; s++) {
          double[] above = moved(i, STEPS[s], f);
          double[] below = moved(i, -STEPS[s], f);
          table[s] = combine(above, below, 1 / (2 * STEPS[s]), -1 / (2 * STEPS[s]));
        }
        for (int order = 1; order < STEPS.length; order++) {
          double power = Math.pow(4, order);
          for (int s = STEPS.length - 1; s >= order; s--) {
            table[s] = combine(table[s], table[s - 1], power / (power - 1), -1 / (power - 1));
          }
        }
        rows[i] = table[STEPS.length - 1];
      }
      return rows;
    }

    private double[] moved(int parameter, double step, Supplier<double[]> f) {
      double before = adapter.theta().get(parameter);
      adapter.theta().set(parameter, before + step);
      double[] result = f.get();
      adapter.theta().set(parameter, before);
      return result;
    }

    private static double[] combine(double[] x, double[] y, double a, double b) {
      double[] z = new double[x.length];
      for (int i = 0; i < z.length; i++) {
        z[i] = a * x[i] + b * y[i];
      }
      return z;
    }

    /** All unit directions at once, and one random direction alone, against the dense matrix. */
    void assertProducts(double[][] dense, Tape tape, String what) {
      int size = dense.length;
      try (Scope scope = backend.openScope("products");
          Linearization at = new Linearization(backend, tape, adapter.theta())) {
        Tensor units = scope.allocate(backend.vectorType(), size, size);
        backend.vectors().fill(units, 0);
        for (int i = 0; i < size; i++) {
          units.set((long) i * size + i, 1);
        }
        Tensor direction = scope.allocate(backend.vectorType(), 1, size);
        TinyModels.randomize(backend, direction, 1, SEED);
        double[] flat = Stream.of(dense).flatMapToDouble(Arrays::stream).toArray();
        double[] v = direction.toDoubles();
        double[] expected = new double[size];
        for (int i = 0; i < size; i++) {
          for (int j = 0; j < size; j++) {
            expected[i] += dense[i][j] * v[j];
          }
        }
        boolean hessian = what.equals("Hessian");
        Tensor all = hessian ? at.hvp(units, scope) : at.ggn(units, scope);
        Tensor one = hessian ? at.hvp(direction, scope) : at.ggn(direction, scope);
        assertEquals(0, Golden.relative(all.toDoubles(), flat), 1e-10, what + " matrix");
        assertEquals(0, Golden.relative(one.toDoubles(), expected), 1e-10, what + " product");
      }
    }

    @Override
    public void close() {
      adapter.close();
      tiny.close();
      backend.close();
    }
  }
}
