/**
 * Replaying a training run with another row set: the optimiser's own steps on the recorded gradients,
 * corrected by what the removed rows contributed and by how the retained rows' gradient changes along the
 * way. A {@link dev.lethe.replay.operator.ReplayOperator} models that change; it is prepared once for an adapter
 * and serves every request.
 */
package dev.lethe.replay;
