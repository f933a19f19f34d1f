package dev.lethe.autograd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.ArgumentException;
import dev.lethe.autograd.op.GatedUnit;
import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.backend.kernel.operand.Nonlinearity;
import dev.lethe.tensor.Scope;
import dev.lethe.tensor.Tensor;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A hand-made two-layer network with every operation, on the reference backend. */
class TapeTest {
  private static final long SEED = 20261122;

  private Backend backend;
  private Scope scope;

  @BeforeEach
  void open() {
    backend = Backends.select("reference", BackendOptions.DEFAULT);
    scope = backend.openScope("test");
  }

  @AfterEach
  void close() {
    scope.close();
    assertEquals(0, backend.memoryUse().liveBytes(), "passes leave nothing behind");
    backend.close();
  }

  @Test
  void everyDerivativeAgreesWithDifferencesAndIdentities() {
    SmallNetwork network = new SmallNetwork(backend, scope, SEED, 0);
    assertSmall(GradCheck.check(backend, network.tape(), network.theta(), SEED));
  }

  @Test
  void dropoutWithAFixedMaskIsDifferentiatedLikeAnyOtherMap() {
    SmallNetwork network = new SmallNetwork(backend, scope, SEED + 1, 0.3);
    assertSmall(GradCheck.check(backend, network.tape(), network.theta(), SEED));
  }

  @Test
  void manyVectorsShareOnePassAndGiveWhatSinglesGive() {
    SmallNetwork network = new SmallNetwork(backend, scope, SEED + 2, 0);
    Tensor v = network.random(3, network.theta().elements());
    try (Linearization at = new Linearization(backend, network.tape(), network.theta())) {
      Tensor hvp = at.hvp(v, scope);
      Tensor ggn = at.ggn(v, scope);
      Tensor fisher = at.fisher(v, scope);
      double[][] jvp = at.jvp(v);
      for (int j = 0; j < 3; j++) {
        Tensor one = v.slice(j, 1);
        assertArrayEquals(at.hvp(one, scope).toDoubles(), hvp.row(j).toDoubles(), 1e-14);
        assertArrayEquals(at.ggn(one, scope).toDoubles(), ggn.row(j).toDoubles(), 1e-14);
        assertArrayEquals(at.fisher(one, scope).toDoubles(), fisher.row(j).toDoubles(), 1e-14);
        assertArrayEquals(at.jvp(one)[0], jvp[j], 1e-14);
      }
    }
  }

  @Test
  void onePassGradientsEqualTheKeptOnes() {
    SmallNetwork network = new SmallNetwork(backend, scope, SEED + 3, 0);
    Tape tape = network.tape();
    long parameters = network.theta().elements();
    try (Linearization at = new Linearization(backend, tape, network.theta())) {
      Tensor g = scope.allocate(backend.vectorType(), parameters);
      backend.vectors().fill(g, 0);
      double[] losses =
          Gradients.addGradient(backend, tape, network.theta(), 1.0 / at.samples(), g);
      assertArrayEquals(at.gradient(scope).toDoubles(), g.toDoubles());
      assertArrayEquals(at.losses(), losses);
      assertArrayEquals(Gradients.losses(backend, tape, network.theta()), losses);
      Tensor each = scope.allocate(backend.vectorType(), at.samples(), parameters);
      Gradients.perSample(backend, tape, network.theta(), each);
      assertArrayEquals(at.perSampleGradients(scope).toDoubles(), each.toDoubles());
    }
  }

  @Test
  void withoutAdaptersThereIsALossAndNothingToDifferentiate() {
    SmallNetwork network = new SmallNetwork(backend, scope, SEED + 4, 0);
    Tape tape = network.tapeWithoutAdapters();
    Tensor v = network.random(1, network.theta().elements());
    try (Linearization at = new Linearization(backend, tape, network.theta())) {
      assertTrue(at.losses()[0] > 0);
      assertEquals(0, backend.vectors().norm(at.hvp(v, scope).row(0)));
      assertEquals(0, backend.vectors().norm(at.ggn(v, scope).row(0)));
      assertEquals(0, backend.vectors().norm(at.gradient(scope)));
      assertEquals(0, at.jvp(v)[0][0]);
    }
  }

  @Test
  void aTapeRefusesWhatItsBackwardCannotAddUp() {
    SmallNetwork network = new SmallNetwork(backend, scope, SEED + 5, 0);
    ArgumentException e =
        assertThrows(ArgumentException.class, network::recordWithASharedInput);
    assertTrue(e.getMessage().contains("GatedUnit"), e.getMessage());
  }

  @Test
  void aTapeEndsWithItsLoss() {
    Tape tape = new SmallNetwork(backend, scope, SEED + 6, 0).tape();
    assertThrows(IllegalStateException.class, () -> GatedUnit.on(tape, Nonlinearity.SILU, tape.loss().x(), tape.loss().x()));
    assertThrows(IllegalStateException.class, () -> new Tape(tape.packing()).loss());
  }

  private static void assertSmall(List<GradCheck.Check> checks) {
    assertEquals(9, checks.size());
    for (GradCheck.Check check : checks) {
      double bound = check.name().contains("differences") ? 1e-6 : 1e-12;
      assertTrue(check.error() <= bound, check + " with seed " + SEED);
    }
  }
}
