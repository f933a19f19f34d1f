package dev.lethe.autograd;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import dev.lethe.tensor.Scope;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The hand-made network of {@link TapeTest} with sums that no norm follows: every derivative. */
class ScaledSumTapeTest {
  private static final long SEED = 20261202;

  @ParameterizedTest
  @ValueSource(doubles = {0, 0.3})
  void everyDerivativeAgreesWithDifferencesAndIdentities(double dropout) {
    try (Backend backend = Backends.select("reference", BackendOptions.DEFAULT);
        Scope scope = backend.openScope("test")) {
      SmallNetwork network = new SmallNetwork(backend, scope, SEED, dropout).withNormsAfter();
      for (GradCheck.Check check :
          GradCheck.check(backend, network.tape(), network.theta(), SEED)) {
        double bound = check.name().contains("differences") ? 1e-6 : 1e-12;
        assertTrue(check.error() <= bound, check + " with seed " + SEED);
      }
    }
  }
}
