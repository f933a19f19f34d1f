package dev.lethe.solve;

import dev.lethe.tensor.Tensor;

/**
 * What a solver found, and how good it is.
 *
 * @param x (P), in the scope that the problem named
 * @param iterations iterations done, those before a resume included
 * @param products vectors multiplied by C in this call, the check of the residual included; of a
 *     solve of several systems at a time, an equal share
 * @param relativeResidual ‖(C+λI)x − b‖/‖b‖, recomputed from x; 0 where b is 0
 * @param converged whether that is within the tolerance
 * @param reason why the solver stopped
 * @param stop the same in words, with numbers
 * @param times of this call
 * @param residualHistory the solver's own estimate after each iteration
 */
public record Solution(
    Tensor x,
    int iterations,
    long products,
    double relativeResidual,
    boolean converged,
    StopReason reason,
    String stop,
    TimeSplit times,
    double[] residualHistory) {}
