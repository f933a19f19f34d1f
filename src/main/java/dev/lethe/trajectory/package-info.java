/**
 * The trajectory of a training run: where it began, and for every optimiser step the rows it read, its rate and its
 * gradient before clipping. Replaying the trajectory gives every θₖ, mₖ and vₖ without a model, so that unlearning can
 * follow the whole training instead of guessing from its end.
 */
package dev.lethe.trajectory;
