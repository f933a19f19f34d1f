package dev.lethe.train;

import dev.lethe.tensor.Tensor;
import java.util.Map;

/**
 * Everything that a training's next step depends on besides data and options.
 *
 * @param step optimiser steps done
 * @param vectors host tensors of θ ({@code parameters/<name>}) and of the optimiser's vectors ({@code
 *     exp_avg/<name>}, {@code exp_avg_sq/<name>}; {@code momentum_buffer/<name>})
 * @param where the file they come from, for messages
 */
public record StoredState(long step, Map<String, Tensor> vectors, String where) {}
