package dev.lethe.solve;

import dev.lethe.LetheException;
import java.util.List;

/** The solvers by name. */
public final class Solvers {
  private static final List<Solver> ALL =
      List.of(
          new ConjugateGradient(),
          new Minres(),
          new Lissa(),
          new StochasticQuadratic(),
          new Direct(),
          new BlockConjugateGradient());

  private Solvers() {}

  /** The solver of this name, one of {@link #names}. */
  public static Solver byName(String name) {
    return ALL.stream()
        .filter(solver -> solver.name().equals(name))
        .findFirst()
        .orElseThrow(
            () ->
                new LetheException(
                    "solver", "there is no solver of this name", String.join(", ", names()),
                    name, "Choose one of them."));
  }

  /** All names, the default first. */
  public static List<String> names() {
    return ALL.stream().map(Solver::name).toList();
  }
}
