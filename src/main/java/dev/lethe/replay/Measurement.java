package dev.lethe.replay;

/**
 * The operator against the truth at one step of a replay: the change of the retained rows' gradient from the recorded
 * parameters to the replayed ones.
 *
 * @param step from 0
 * @param rows retained rows of the step
 * @param error ‖estimate − truth‖/‖truth‖
 * @param cosine between estimate and truth
 * @param corrected the error that is left when the other measurements correct the estimate
 * @param seconds that the rows' gradients took
 */
public record Measurement(int step, int rows, double error, double cosine, double corrected, double seconds) {}
