package dev.lethe.autograd;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.backend.kernel.operand.Nonlinearity;
import dev.lethe.tensor.Scope;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The hand-made network of {@link TapeTest} with other units: every derivative, on the reference backend. */
class GatedUnitTapeTest {
  private static final long SEED = 20261202;

  @ParameterizedTest
  @CsvSource({"SILU,false", "GELU,true", "GELU,false", "GELU_TANH,true", "GELU_TANH,false"})
  void everyDerivativeAgreesWithDifferencesAndIdentities(Nonlinearity f, boolean gated) {
    try (Backend backend = Backends.select("reference", BackendOptions.DEFAULT);
        Scope scope = backend.openScope("test")) {
      SmallNetwork network = new SmallNetwork(backend, scope, SEED, 0).withUnits(f, gated);
      for (GradCheck.Check check :
          GradCheck.check(backend, network.tape(), network.theta(), SEED)) {
        double bound = check.name().contains("differences") ? 1e-6 : 1e-12;
        assertTrue(check.error() <= bound, check + " with seed " + SEED);
      }
    }
  }
}
