package dev.lethe.solve;

import java.util.ArrayList;
import java.util.List;

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
   * @param problem with one right-hand side (P)
   * @throws dev.lethe.LetheException where a product is not finite, or where the solver cannot do
   *     this problem at all (the message names another solver)
   */
  Solution solve(LinearProblem problem, SolverOptions options, SolverMonitor monitor);

  /**
   * Solves for several right-hand sides: here one after another, in a block solver all at a time.
   *
   * @param problem with right-hand sides (m,P)
   * @return a solution for each, in order; an interrupted one ends the list early where they are
   *     solved one after another
   */
  default List<Solution> solveAll(
      LinearProblem problem, SolverOptions options, SolverMonitor monitor) {
    List<Solution> solutions = new ArrayList<>();
    for (int i = 0; i < problem.systems(); i++) {
      Solution solution = solve(problem.system(i), options, monitor);
      solutions.add(solution);
      if (solution.reason() == StopReason.INTERRUPTED) {
        break;
      }
    }
    return solutions;
  }
}
