package dev.lethe.influence;

/**
 * A way to solve (C + λI) x = b from products alone. Solvers start at x = 0, so that directions in
 * which neither C nor b has a part (LoRA's gauge directions) stay untouched. Instances hold no
 * state.
 */
public interface Solver {
  /** Its name on the command line. */
  String name();

  /**
   * Solves, or continues a solve whose state the monitor gives.
   *
   * @throws dev.lethe.LetheException where a product is not finite, or where the solver cannot do
   *     this problem at all (the message names another solver)
   */
  Solution solve(LinearProblem problem, SolverOptions options, SolverMonitor monitor);
}
