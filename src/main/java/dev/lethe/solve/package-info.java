/**
 * Linear systems in a curvature. A {@link dev.lethe.solve.Solver} needs products only, so curvatures and
 * solvers combine freely; every solver is deterministic and can be stopped after any iteration and continued
 * to the same bytes.
 */
package dev.lethe.solve;
