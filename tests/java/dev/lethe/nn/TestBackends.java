package dev.lethe.nn;

import dev.lethe.backend.Backend;
import dev.lethe.backend.BackendOptions;
import dev.lethe.backend.Backends;
import java.util.List;
import java.util.stream.Stream;

/** The backends that a model is tested on, and how far each may be from float64. */
final class TestBackends {
  static final String REFERENCE = "reference";

  private TestBackends() {}

  /** Those that are there. */
  static Stream<String> names() {
    return Backends.explain().stream()
        .map(Backends.Explanation::name)
        .filter(List.of(REFERENCE, "cpu")::contains);
  }

  static Backend open(String name) {
    return Backends.select(name, new BackendOptions(2));
  }

  /** Relative to the norm of what is compared. */
  static double bound(String name) {
    return name.equals(REFERENCE) ? 1e-10 : 1e-5;
  }
}
