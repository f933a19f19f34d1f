package dev.lethe.assess;

import dev.lethe.nn.AdaptedModel;
import dev.lethe.tensor.Tensor;

/**
 * An adapter under assessment.
 *
 * @param role what it is
 * @param name its folder's name
 * @param model the base model with it
 * @param theta its parameters (P)
 * @param sha256 of configuration and parameters; null for the base model
 * @param method what its certificate says how it was made; null where it has none
 */
public record Subject(
    Role role, String name, AdaptedModel model, Tensor theta, String sha256, String method) {}
